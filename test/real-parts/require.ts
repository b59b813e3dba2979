import { existsSync } from 'node:fs';
import { onPath } from './on-path.ts';

/** Every real part that a test may need: how to tell that it is here, and where it comes from. */
const PARTS = {
  prometheus: { here: () => onPath('prometheus'), from: 'Debian package prometheus' },
  alertmanager: {
    here: () => onPath('prometheus-alertmanager') || onPath('alertmanager'),
    from: 'Debian package prometheus-alertmanager',
  },
  alertmanager28: {
    here: () => Boolean(process.env.NIGHTSHIFT_TEST_ALERTMANAGER_28),
    from: 'NIGHTSHIFT_TEST_ALERTMANAGER_28, the path of the prometheus-alertmanager of Debian 13',
  },
  supervisor: { here: () => onPath('supervisord') && onPath('supervisorctl'), from: 'Debian package supervisor' },
  chromium: { here: () => onPath('chromium'), from: 'Debian package chromium' },
  redis: { here: () => onPath('redis-server'), from: 'Debian package redis-server' },
  docker: {
    here: () => ['dockerd', 'docker', 'busybox'].every(onPath) && process.getuid?.() === 0,
    from: 'Debian packages docker.io and busybox-static, run as root',
  },
  kubectl: {
    here: () => onPath('kubectl') && onPath('openssl'),
    from: 'Debian packages kubernetes-client and openssl',
  },
  debootstrap: {
    here: () => existsSync('/usr/sbin/debootstrap') && process.getuid?.() === 0,
    from: 'Debian package debootstrap, run as root',
  },
  kubectl32: {
    here: () => Boolean(process.env.NIGHTSHIFT_TEST_KUBECTL),
    from: 'NIGHTSHIFT_TEST_KUBECTL, the path of the kubectl of Debian 13',
  },
  compose: {
    here: () => Boolean(process.env.NIGHTSHIFT_TEST_COMPOSE),
    from: 'NIGHTSHIFT_TEST_COMPOSE, the path of the docker-compose of Debian 13',
  },
  sshd: {
    here: () => existsSync('/usr/sbin/sshd') && onPath('ssh') && onPath('ssh-keygen'),
    from: 'Debian packages openssh-server and openssh-client',
  },
  logrotate: { here: () => existsSync('/usr/sbin/logrotate'), from: 'Debian package logrotate' },
  nginx: {
    here: () => existsSync('/usr/sbin/nginx') && onPath('openssl'),
    from: 'Debian packages nginx-light and openssl',
  },
  sudo: { here: () => onPath('sudo') && existsSync('/usr/sbin/visudo'), from: 'Debian package sudo' },
  systemd: {
    here: () => onPath('systemctl') && existsSync('/lib/systemd/systemd') && process.getuid?.() === 0,
    from: 'Debian package systemd, run as root',
  },
  postgres: {
    here: () => Boolean(process.env.NIGHTSHIFT_TEST_DATABASE_URL),
    from: 'NIGHTSHIFT_TEST_DATABASE_URL, the URL of a superuser on a Postgres with pgvector',
  },
} as const;

/**
 * Tells whether a story must be skipped because a part that it needs is not here, and says which: for `describe.skipIf`.
 * @throws Error instead, where NIGHTSHIFT_REQUIRE_REAL_PARTS is 1.
 */
export function requireParts(story: string, ...parts: readonly (keyof typeof PARTS)[]): boolean {
  const missing = parts.filter((part) => !PARTS[part].here());
  if (missing.length === 0) return false;
  const needs = `needs ${missing.map((part) => `${part} (${PARTS[part].from})`).join(', ')}`;
  if (process.env.NIGHTSHIFT_REQUIRE_REAL_PARTS === '1') {
    throw new Error(`${story} ${needs}. Fix: run .ci/install-real-parts, or unset NIGHTSHIFT_REQUIRE_REAL_PARTS`);
  }
  process.stdout.write(`skipped: ${story} — ${needs}\n`);
  return true;
}
