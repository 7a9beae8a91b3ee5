import { readdirSync, readFileSync } from 'node:fs';

/** What a process and all its descendants have used so far. */
export interface ProcessUsage {
  readonly processes: number;
  /** user and system, those of children that are gone and reaped included */
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  /** the sum of each process' own peak, which may have been at different times */
  readonly peakBytes: number;
}

/** USER_HZ: what Linux counts in towards user space on every architecture we run on (proc(5)). */
const TICKS_PER_SECOND = 100;

interface Stat {
  readonly parentPid: number;
  readonly cpuTicks: number;
}

/** Linux only. @throws when the process is gone */
export function readProcessUsage(pid: number): ProcessUsage {
  const pids = listProcessTree(pid);
  const sum = (read: (each: number) => number): number =>
    pids.reduce((total, each) => total + read(each), 0);
  return {
    processes: pids.length,
    cpuSeconds: sum((each) => readStat(each)?.cpuTicks ?? 0) / TICKS_PER_SECOND,
    residentBytes: sum((each) => readStatusBytes(each, 'VmRSS')),
    peakBytes: sum((each) => readStatusBytes(each, 'VmHWM')),
  };
}

/** The process first, then its descendants. */
export function listProcessTree(rootPid: number): readonly number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    const stat = /^\d+$/.test(name) ? readStat(Number(name)) : undefined;
    if (stat) parents.set(Number(name), stat.parentPid);
  }
  const tree = new Set([rootPid]);
  for (let sizeBefore = 0; sizeBefore < tree.size;) {
    sizeBefore = tree.size;
    for (const [pid, parentPid] of parents) if (tree.has(parentPid)) tree.add(pid);
  }
  return [...tree];
}

/** Open descriptors of the process of the tree that has most. */
export function countDescriptors(pid: number): number {
  const counts = listProcessTree(pid).map((each) => {
    try {
      return readdirSync(`/proc/${each}/fd`).length;
    } catch {
      return 0; // gone meanwhile
    }
  });
  return Math.max(...counts);
}

function readStat(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // behind the name, which may contain anything, the fields are numbered from 3
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const field = (number: number): number => Number(fields[number - 3]);
    return { parentPid: field(4), cpuTicks: field(14) + field(15) + field(16) + field(17) };
  } catch {
    return undefined; // gone meanwhile
  }
}

function readStatusBytes(pid: number, name: 'VmRSS' | 'VmHWM'): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const match = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status);
    return Number(match?.[1] ?? 0) * 1024;
  } catch {
    return 0; // gone meanwhile
  }
}
