import { z } from 'zod';

/** Who may come in, what is loaded and where is written: whoever may change that has the server's machine, or a password in a preview. */
const GUARDED =
  /pass|auth|user|acl|^dir$|file|module|command|^enable-|^bind|port|^tls-|^unixsocket|^protected-mode$|replicaof|slaveof/;

export const redisSettingsSchema = z
  .strictObject({
    host: z.string().min(1).optional().describe('Name or address of the server.'),
    port: z.number().int().min(1).max(65_535).default(6379),
    socket: z.string().startsWith('/').optional().describe('Path of its socket, instead of host and port.'),
    username: z.string().min(1).optional().describe('A user of its own: what its ACL does not allow, no tool can do.'),
    password: z.string().min(1).optional(),
    database: z.number().int().min(0).max(255).default(0),
    tls: z.boolean().default(false),
    ca: z.string().min(1).optional().describe('Certificate of the authority, in PEM, where it is not a public one.'),
    cachePrefixes: z
      .array(
        z
          .string()
          .regex(/^[A-Za-z0-9][A-Za-z0-9:._-]{2,100}$/, 'must be at least three letters, digits, ":", ".", "_" or "-"'),
      )
      .default([])
      .describe(
        'Beginnings of keys that are a cache and nothing else, for example cache:catalog:. None may be deleted otherwise.',
      ),
    keysMax: z.number().int().min(1).max(1_000_000).default(10_000).describe('The most keys that one call deletes.'),
    configurable: z
      .array(
        z
          .string()
          .regex(/^[a-z][a-z0-9-]{1,60}$/)
          .refine((name) => !GUARDED.test(name), 'opens the server or names its files; no tool may change it'),
      )
      .default([])
      .describe('The only settings of the server that config_set may change, for example maxmemory.'),
  })
  .refine(({ host, socket }) => (host === undefined) !== (socket === undefined), {
    path: ['host'],
    message: 'give either host or socket',
  });

export type RedisSettings = z.infer<typeof redisSettingsSchema>;
