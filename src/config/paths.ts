import type { FileConfig, ToolsetInstanceConfig } from './schema.ts';
import { isShippedMapping, type Sources } from './sources.ts';

/** Gives the sources, with the mappings of their own where they are. */
export function withMappings(sources: FileConfig['sources'], inDirectory: (path: string) => string): Sources {
  return Object.fromEntries(
    Object.entries(sources).map(([name, source]) =>
      source.type === 'json' && !isShippedMapping(source.mapping)
        ? [name, { ...source, mapping: inDirectory(source.mapping) }]
        : [name, source],
    ),
  );
}

/** Gives the toolset instances, with their files where they are; `lockfile` holds the pins that name no file of their own. */
export function toolsetsIn(
  toolsets: FileConfig['toolsets'],
  inDirectory: (path: string) => string,
  lockfile: string,
): Record<string, ToolsetInstanceConfig> {
  return Object.fromEntries(
    Object.entries(toolsets).map(([name, { manifests, pins, remote, ...instance }]) => [
      name,
      {
        ...instance,
        ...(manifests === undefined ? {} : { manifests: inDirectory(manifests) }),
        ...(pins === undefined ? {} : { pins: inDirectory(pins) }),
        ...(pins === undefined && instance.uses === 'mcp' ? { pins: lockfile } : {}),
        ...(remote === undefined
          ? {}
          : {
              remote: {
                address: remote.address,
                ca: inDirectory(remote.ca),
                certificate: inDirectory(remote.certificate),
                key: inDirectory(remote.key),
              },
            }),
      },
    ]),
  );
}

/** Gives the folder of specialists, where one is named. */
export function specialistsIn(
  { specialists }: FileConfig['investigation'],
  inDirectory: (path: string) => string,
): { specialists?: string } {
  return specialists === undefined ? {} : { specialists: inDirectory(specialists) };
}
