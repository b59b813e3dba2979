import type { Ended } from '../manifest/run.ts';
import type { Deletion } from './delete-files.ts';
import type { FoundFile, Survey } from './directory.ts';
import type { ProcessSeen } from './proc.ts';
import type { DirectoryRule } from './settings.ts';

export interface FileSystem {
  readonly path: string;
  readonly device: string;
  readonly bytes: number;
  readonly freeBytes: number;
  readonly usedPercent: number;
  readonly filesUsedPercent: number | null;
}

/** The processes with the most open files; a limit is null where there is none or it cannot be seen. */
export interface OpenFiles {
  readonly pid: number;
  readonly files: number;
  readonly name: string | null;
  readonly limit: number | null;
}

/** A declared directory that was made sure of, and stays the same one for as long as it is worked on. */
export interface OpenDirectory {
  readonly rule: DirectoryRule;
  readonly uid: string;
  survey(options?: { withinMs?: number }): Promise<Survey>;
  /** Deletes files of a survey, each looked at once more right before. */
  delete(files: readonly FoundFile[]): Promise<Deletion>;
}

/** One host, this one or another by ssh; every way to look at it @throws NightshiftError `tool_failed` where it cannot. */
export interface Machine {
  /** The texts of files; null for each that cannot be read. */
  texts(paths: readonly string[]): Promise<(string | null)[]>;
  fileSystems(): Promise<FileSystem[]>;
  process(pid: number): Promise<ProcessSeen | null>;
  processes(): Promise<ProcessSeen[]>;
  openFiles(most: number): Promise<OpenFiles[]>;
  /** Asks this very process to end, and not another one that has its number by now. */
  terminate(seen: ProcessSeen): Promise<void>;
  /** Tells whether it is the one that Nightshift itself runs as. */
  isOurs(pid: number): boolean;
  /** The sizes of regular files, in bytes; null for each that is none, a symbolic link among them. */
  sizes(paths: readonly string[]): Promise<(number | null)[]>;
  /** Runs a program; where it changes something and is cut short, it @throws OutcomeUnknown. */
  run(argv: readonly string[], isChange: boolean): Promise<Ended>;
  inDirectory<T>(name: string, work: (directory: OpenDirectory) => Promise<T>): Promise<T>;
}
