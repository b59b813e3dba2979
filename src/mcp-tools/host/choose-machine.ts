import type { Ended } from '../manifest/run.ts';
import type { ToolContext } from '../tool.ts';
import { farMachine } from './far-machine.ts';
import { localMachine } from './local-machine.ts';
import type { Machine } from './machine.ts';
import type { HostSettings } from './settings.ts';

/** Gives the host that an instance is about: the one in its settings, or the one it runs on. */
export function machineOf({ settings, signal }: ToolContext<HostSettings>): Machine {
  const { ssh } = settings;
  return ssh ? farMachine(ssh, { settings, signal }) : localMachine({ settings, signal });
}

/** Runs a program of the system, through sudo where the settings say so. */
export function runSystem(
  machine: Machine,
  { sudo }: HostSettings,
  { argv, isChange }: { argv: readonly string[]; isChange: boolean },
): Promise<Ended> {
  return machine.run([...(sudo ? ['sudo', '-n', '--'] : []), ...argv], isChange);
}
