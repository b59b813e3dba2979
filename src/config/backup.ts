import { z } from 'zod';

/** When the running server takes a backup by itself, and how many it keeps. */
export const backupSchema = z
  .strictObject({
    everyHours: z
      .number()
      .min(0)
      .max(24 * 366)
      .optional()
      .describe('How often a snapshot is taken, 0 for never; 24 for the embedded database and 0 for a served one.'),
    keep: z.int().min(1).max(1000).default(7).describe('Older snapshots than the last so many are deleted.'),
    folder: z.string().min(1).optional().describe('Where they are; DATADIR/snapshots otherwise. Best on another disk.'),
  })
  .prefault({})
  .describe('Snapshots that the running server takes by itself.');
export type BackupConfig = z.infer<typeof backupSchema>;
