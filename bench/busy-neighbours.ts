import { readFileSync } from 'node:fs';
import { readProcessUsage } from './process-usage';

/** CPU seconds of all cores together, and of this run's processes, since the machine started. */
interface CpuReading {
  readonly atMs: number;
  readonly machineSeconds: number;
  readonly ownSeconds: number;
}

const TICKS_PER_SECOND = 100;

/**
 * Watches what other programs take from the cores meanwhile: nothing else makes figures less steady.
 *
 * @returns called at the end: how many cores' worth of time was not ours
 * @see proc(5), /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal
 */
export function watchNeighbours(): () => number {
  const before = readCpu();
  return () => {
    const after = readCpu();
    const elapsedSeconds = (after.atMs - before.atMs) / 1000;
    const machineSeconds = after.machineSeconds - before.machineSeconds;
    const ownSeconds = after.ownSeconds - before.ownSeconds;
    return Math.max(0, machineSeconds - ownSeconds) / elapsedSeconds;
  };
}

function readCpu(): CpuReading {
  const [, line = ''] = /^cpu\s+(.*)$/m.exec(readFileSync('/proc/stat', 'utf8')) ?? [];
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line
    .split(' ')
    .map(Number);
  return {
    atMs: performance.now(),
    machineSeconds: (user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND,
    ownSeconds: readProcessUsage(process.pid).cpuSeconds,
  };
}
