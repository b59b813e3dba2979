/**
 * The process that makes sure that nothing of a demo outlives it: it reads which process groups run, and when its input
 * ends, because the demo has ended, however that came, it kills those that are left.
 */
import { createInterface } from 'node:readline';

const held = new Set<number>();
for await (const line of createInterface({ input: process.stdin })) {
  const [word, pid] = line.split(' ');
  if (word === 'hold') held.add(Number(pid));
  else held.delete(Number(pid));
}
for (const pid of held) {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}
