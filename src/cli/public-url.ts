import { NightshiftError } from '../errors.ts';
import { plain } from '../incident/index.ts';

/** Gives the https:// address at which a system of somebody else reaches this server. @throws NightshiftError `invalid_config`. */
export function publicUrl(url: string | undefined, instead = ''): string {
  const fix = `add --url https://… (where it reaches this server)${instead}`;
  const refuse = (message: string) =>
    new NightshiftError('invalid_config', `--url: ${message}. Fix: ${fix}`, {
      problems: [{ field: '--url', message, fix }],
    });
  if (url === undefined) throw refuse('is missing');
  if (!URL.canParse(url) || new URL(url).protocol !== 'https:') throw refuse(`${plain(url)} is no https:// address`);
  return url;
}
