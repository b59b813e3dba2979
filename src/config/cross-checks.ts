import { resolve } from 'node:path';
import type { Problem } from '../errors.ts';
import { repeatedFolders } from './runbooks.ts';
import type { FileConfig } from './schema.ts';

/** Gives the mistakes that only show between the sections of nightshift.yaml. */
export function crossCheck(file: FileConfig, directory: string): Problem[] {
  return [
    ...peopleLikeSources(file),
    ...nobodyForIssuer(file),
    ...subjectsOfTwoIssuers(file),
    ...repeatedFolders(file.runbooks, (path) => resolve(directory, path)),
  ];
}

/** The timeline calls what a source said by its name; a person of that name would be taken for it. */
function peopleLikeSources({ people, sources }: FileConfig): Problem[] {
  return people.flatMap(({ name }, index) =>
    Object.hasOwn(sources, name.toLowerCase())
      ? [{ field: `people.${index}.name`, value: name, message: 'is the name of a source', fix: 'choose another name' }]
      : [],
  );
}

/** An issuer vouches for people of `people:`; where none can be known by it, nobody could ever come in. */
function nobodyForIssuer({ people, server, console: { oidc } }: FileConfig): Problem[] {
  if (people.some(({ email, subject }) => email ?? subject)) return [];
  const fix = 'give those who shall come in an email or a subject';
  return [
    ...(server.oauth ? ['has nobody whom a token of server.oauth could stand for'] : []),
    ...(oidc ? ['has nobody who could sign in by console.oidc'] : []),
  ].map((message) => ({ field: 'people', message, fix }));
}

/** The same `sub` at another issuer is somebody else. */
function subjectsOfTwoIssuers({ people, server: { oauth }, console: { oidc } }: FileConfig): Problem[] {
  if (!oauth || !oidc || oauth.issuer === oidc.issuer || people.every(({ subject }) => subject === undefined))
    return [];
  const message = `is not server.oauth.issuer (${oauth.issuer}), so nobody could say whose subject stands in people:`;
  const fix = 'use one issuer for both, or know people by their email only';
  return [{ field: 'console.oidc.issuer', value: oidc.issuer, message, fix }];
}
