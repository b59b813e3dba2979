import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** Makes an authority in a folder by openssl, and the function that signs a certificate for 127.0.0.1 with it; gives their paths. */
export function makeAuthority(
  directory: string,
  name: string,
): { ca: string; sign: (subject: string, days?: number) => { certificate: string; key: string } } {
  const at = (file: string) => join(directory, `${name}-${file}.pem`);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'ignore' });
  const made = (key: string) => ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key];
  const [ca, caKey] = [at('ca'), at('ca-key')];
  openssl('req', '-x509', ...made(caKey), '-out', ca, '-days', '2', '-subj', `/CN=${name}`);
  return {
    ca,
    sign(subject, days = 2) {
      const [certificate, key] = [at(subject), at(`${subject}-key`)];
      const names = ['-subj', `/CN=${subject}`, '-addext', 'subjectAltName=IP:127.0.0.1'];
      const signed = ['-CA', ca, '-CAkey', caKey, '-days', String(days)];
      openssl('req', '-x509', ...made(key), '-out', certificate, ...names, ...signed);
      return { certificate, key };
    },
  };
}
