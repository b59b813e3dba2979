// The import order is also the story: each room may import only those above it, and rooms on one line never each other.
const ORDER = [
  ['errors'],
  ['failpoints'],
  ['alert'],
  ['config'],
  ['telemetry'],
  ['database'],
  ['identity'],
  ['incident'],
  ['audit'],
  ['backup'],
  ['retention'],
  ['ingest'],
  ['llm'],
  ['mcp-sdk'],
  ['mcp-tools'],
  ['rag'],
  ['policy'],
  ['diagnosis'],
  ['planning'],
  ['gate'],
  ['approval'],
  ['execution'],
  ['verification'],
  ['notify'],
  ['learning'],
  ['remediation'],
  ['self-watch'],
  ['slack', 'pagerduty'],
  ['doctor'],
  ['insights'],
  ['api'],
  ['mcp-server', 'console'],
  ['evaluation'],
  ['cli'],
  ['parts', 'live-config', 'tokens'],
  ['server'],
  ['app'],
  ['serve'],
  ['main'],
];

const room = (name) => `^src/${name}(/|\\.ts$)`;

export default {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'no-orphans',
      severity: 'error',
      from: {
        orphan: true,
        pathNot: '^src/(main|backup/dump-process|mcp-tools/serve|evaluation/serve-recorded)\\.ts$',
      },
      to: {},
    },
    {
      name: 'every-room-has-its-place',
      comment: 'add a new room to ORDER in .dependency-cruiser.mjs, and to ARCHITECTURE.md',
      severity: 'error',
      from: { path: '^src/', pathNot: ORDER.flat().map(room) },
      to: {},
    },
    ...ORDER.slice(0, -1).flatMap((names, index) =>
      names.map((name) => ({
        name: `${name}-imports-downwards-only`,
        severity: 'error',
        from: { path: room(name) },
        to: {
          path: ORDER.slice(index)
            .flat()
            .filter((other) => other !== name)
            .map(room),
        },
      })),
    ),
    {
      name: 'only-remediation-knows-the-queue',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/remediation/' },
      to: { path: 'node_modules/pg-boss/' },
    },
    {
      name: 'only-one-room-knows-the-mcp-sdk',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/mcp-sdk/' },
      to: { path: 'node_modules/@modelcontextprotocol/' },
    },
    {
      name: 'only-one-file-knows-opentelemetry',
      comment: 'it is tens of megabytes, and loaded where traces are exported',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/telemetry/export-spans\\.ts$' },
      to: { path: 'node_modules/@opentelemetry/' },
    },
    {
      name: 'opentelemetry-is-loaded-late',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^src/telemetry/export-spans\\.ts$', dynamic: false },
    },
    {
      name: 'only-the-mcp-rooms-speak-mcp',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/mcp-(sdk|tools|server)/' },
      to: { path: '^src/mcp-sdk/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
};
