import { exitProcess } from './exit-process';

/** What tells a process to stop. */
export const STOP_SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/**
 * Leaves on a signal for as long as nothing is served that would have to end in good order. Call it
 * before all else is loaded: process 1, as in a container, has no default action, so a signal that
 * nobody listens to is lost there, and the service runs on until it is killed.
 */
export function leaveOnSignals(): void {
  for (const signal of STOP_SIGNALS) process.on(signal, leave);
}

/** Ends that. Call it when others listen already: a signal under way must find somebody. */
export function stopLeaving(): void {
  for (const signal of STOP_SIGNALS) process.off(signal, leave);
}

async function leaveSoon(signal: NodeJS.Signals): Promise<void> {
  // the start goes on meanwhile
  const isHeardByOthers = (): boolean => !process.listeners(signal).includes(leave);
  await exitProcess(0, isHeardByOthers);
  process.emit(signal, signal);
}

function leave(signal: NodeJS.Signals): void {
  void leaveSoon(signal);
}
