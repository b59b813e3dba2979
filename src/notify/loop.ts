/**
 * Calls `turn` again and again: at once where it found something to do, after `restMs` where it did not or failed. `stop` resolves
 * once the turn that is under way has ended.
 */
export function startLoop(
  turn: () => Promise<boolean>,
  restMs: number,
  onFailure: (error: unknown) => void,
): { stop(): Promise<void> } {
  let stopping = false;
  let wakeUp = () => {};
  const rest = () =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, restMs);
      wakeUp = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  const work = async () => {
    while (!stopping) {
      let busy = false;
      try {
        busy = await turn();
      } catch (error) {
        onFailure(error);
      }
      if (!stopping && !busy) await rest();
    }
  };
  const working = work();
  return {
    async stop() {
      stopping = true;
      wakeUp();
      await working;
    },
  };
}
