/** Writes docs/tools.md from the tools' own declarations: node scripts/write-tool-reference.ts [--check]. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { TOOLSETS, type Tool } from '../src/mcp-tools/index.ts';

const FILE = join(import.meta.dirname, '../docs/tools.md');
const HEAD = `# Tools

Written by \`npm run tool-reference\` from what each tool declares; a test compares. Every toolset is configured under \`toolsets:\` in
nightshift.yaml. \`read\` tools look; the others pass the policy, and \`destructive\` and \`critical\` ones a person. *Check* is how one knows
that it worked, *inverse* the call that takes it back. An instance can have [tools of its own](own-tools.md) besides; what its account needs,
[\`toolset privileges\`](privileges.md) prints.
`;

/** Writes the reference of every tool: a section for each toolset, a table of its tools, a table of its settings. */
export function renderToolReference(): string {
  const sections = Object.values(TOOLSETS).map(({ name, description, settings, tools }) =>
    [
      `## ${name}`,
      description,
      ...(tools.length > 0
        ? [
            '| tool | risk | arguments | what it does | check | inverse |\n|---|---|---|---|---|---|\n' +
              [...tools].sort(byRisk).map(row).join('\n'),
          ]
        : []),
      'Settings:\n' +
        fieldsOf(z.toJSONSchema(settings, { io: 'input', unrepresentable: 'any' }))
          .map(item)
          .join('\n'),
    ].join('\n\n'),
  );
  return `${[HEAD, ...sections].join('\n')}\n`;
}

const byRisk = (a: Tool, b: Tool) => Number(a.risk !== 'read') - Number(b.risk !== 'read');

function row(tool: Tool): string {
  const { name, risk, input, description, check, inverse } = tool;
  const args = fieldsOf(z.toJSONSchema(input)).map(({ name: field, required }) => (required ? field : `${field}?`));
  const cells = [
    `\`${name}\``,
    riskText(risk, tool.manifest),
    args.join(', '),
    description,
    check ? `\`${check.tool}\`: \`${check.expect}\`` : '–',
    inverse ? `\`${inverse.tool}\`` : '–',
  ];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function riskText(risk: Tool['risk'], manifest: unknown): string {
  if (typeof risk === 'string') return risk;
  const rules = (manifest as { risk?: { class: string; when?: object }[] } | undefined)?.risk ?? [];
  const usual = rules.at(-1)?.class ?? 'by arguments';
  const others = rules.slice(0, -1).map((rule) => `${rule.class} for some ${Object.keys(rule.when ?? {}).join(', ')}`);
  return [usual, ...others].join('; ');
}

interface Field {
  readonly name: string;
  readonly description: string;
  readonly required: boolean;
}

function fieldsOf(schema: unknown): Field[] {
  const { properties = {}, required = [] } = schema as {
    properties?: Record<string, { description?: string }>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description = '' }]) => ({
    name,
    description,
    required: required.includes(name),
  }));
}

const item = ({ name, description, required }: Field) =>
  `- \`${name}\`${required ? ' (needed)' : ''}${description ? `: ${description}` : ''}`;

if (import.meta.main) {
  const text = renderToolReference();
  if (!process.argv.includes('--check')) writeFileSync(FILE, text);
  else if (readFileSync(FILE, 'utf8') !== text) {
    process.stderr.write('docs/tools.md is not what the tools declare. Fix: npm run tool-reference\n');
    process.exitCode = 1;
  }
}
