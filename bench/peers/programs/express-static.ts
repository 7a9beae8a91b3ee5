import express from 'express';
import { readVariable } from './environment';

const app = express();
app.use(express.static(readVariable('LIBRARY_DIR')));
app.listen(Number(readVariable('PORT')), '127.0.0.1');
