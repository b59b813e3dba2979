import { expect, it } from 'vitest';
import { severityOf } from '../../../src/alert/index.ts';

it.each([
  ['critical', 'critical'],
  ['PAGE', 'critical'],
  ['high', 'error'],
  ['warning', 'warning'],
  ['info', 'info'],
  ['none', 'info'],
  ['whatever', 'error'],
  ['constructor', 'error'],
  ['', 'error'],
])('pages %s as %s', (severity, expected) => expect(severityOf(severity)).toBe(expected));
