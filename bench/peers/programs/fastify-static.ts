import fastifyStatic from '@fastify/static';
import fastify from 'fastify';
import { readVariable } from './environment';

const app = fastify();
void app.register(fastifyStatic, { root: readVariable('LIBRARY_DIR') });
void app.listen({ port: Number(readVariable('PORT')), host: '127.0.0.1' });
