/** Certificates by openssl, from an authority made for one story. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Makes a certificate in a folder that is good from some day to another, counted from today. @throws Error where openssl fails. */
export function certify(
  directory: string,
  subject: string,
  from: number,
  to: number,
): { certificate: string; key: string; ca: string } {
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: directory, stdio: 'ignore' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '400', '-subj', '/CN=Shop Authority');
  openssl(
    'req',
    ...key,
    '-keyout',
    'edge.key',
    '-out',
    'edge.csr',
    '-subj',
    `/CN=${subject}`,
    '-addext',
    `subjectAltName=DNS:${subject}`,
  );
  const day = (offset: number) =>
    `${new Date(Date.now() + offset * 86_400_000).toISOString().slice(0, 19).replace(/[-:T]/g, '')}Z`;
  execFileSync(
    'sh',
    [
      '-c',
      `mkdir -p made && : >index && echo 01 >serial && printf '[ca]\ndefault_ca=d\n[d]\ndatabase=index\nserial=serial\nnew_certs_dir=made\ndefault_md=sha256\npolicy=p\ncopy_extensions=copy\n[p]\ncommonName=supplied\n' >ca.cnf && openssl ca -batch -config ca.cnf -cert ca.pem -keyfile ca.key -in edge.csr -out edge.pem -startdate ${day(from)} -enddate ${day(to)} -notext`,
    ],
    { cwd: directory, stdio: 'ignore' },
  );
  return {
    certificate: join(directory, 'edge.pem'),
    key: join(directory, 'edge.key'),
    ca: readFileSync(join(directory, 'ca.pem'), 'utf8'),
  };
}
