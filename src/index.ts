import 'dotenv/config';
import { runService } from './process';

void runService(process.env);
