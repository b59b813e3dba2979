import { z } from 'zod';

export const postgresSettingsSchema = z.strictObject({
  host: z.string().min(1).describe('Name or address of the server, or the folder of its socket.'),
  port: z.number().int().min(1).max(65_535).default(5432),
  database: z.string().min(1).default('postgres'),
  username: z.string().min(1).describe('A role of its own: what it may not do, no tool can do.'),
  password: z.string().min(1).optional(),
  tls: z
    .enum(['off', 'require', 'verify'])
    .default('verify')
    .describe('`verify` wants a certificate for this name; `require` takes any; `off` is for loopback and sockets.'),
  ca: z.string().min(1).optional().describe('Certificate of the authority, in PEM, where it is not a public one.'),
});

export type PostgresSettings = z.infer<typeof postgresSettingsSchema>;

/** Gives what a connection needs. */
export function clientConfig({ host, port, database, username, password, tls, ca }: PostgresSettings) {
  return {
    host,
    port,
    database,
    user: username,
    ...(password === undefined ? {} : { password }),
    ...(tls === 'off' ? {} : { ssl: { rejectUnauthorized: tls === 'verify', ...(ca ? { ca } : {}) } }),
  };
}
