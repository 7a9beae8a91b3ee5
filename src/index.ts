import { leaveOnSignals } from './early-signals';
// a signal while the rest is loaded must not be lost
leaveOnSignals();
import 'dotenv/config';
import { runService } from './process';

// read by Node once, at the first file call: with its four threads four reads from a hung disk would
// stop every other file
process.env.UV_THREADPOOL_SIZE ??= '8';

void runService(process.env);
