import { z } from 'zod';

const ENDPOINT = /^(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\]):[1-9]\d{0,4}$/;

/** One place that speaks TLS from the first byte on, as host:port. */
export const endpointSchema = z
  .string()
  .regex(ENDPOINT, 'must be host:port in lower case, such as shop.example:443')
  .refine((text) => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65_535, 'has a port above 65535');

export const tlsSettingsSchema = z.strictObject({
  endpoints: z
    .array(endpointSchema)
    .min(1)
    .describe('The only places that may be connected to, such as shop.example:443.'),
  ca: z.string().min(1).optional().describe('Certificates of authorities, in PEM, where they are not public ones.'),
});

export type TlsSettings = z.infer<typeof tlsSettingsSchema>;
