import { describeProblems, NightshiftError, type Problem } from '../../errors.ts';
import type { CallToolResult } from '../../mcp-sdk/index.ts';
import { previewLine } from '../inspection.ts';
import { fillText, placeholdersIn } from '../manifest/fill.ts';
import { type OwnedBy, RISK_CLASSES, type RiskClass, type Tool } from '../tool.ts';
import type { Definition } from './definition.ts';
import { readInputSchema, UnusableSchema } from './input-schema.ts';
import { asPins, type Pinned } from './pins.ts';
import { createSession, type Session, textOf } from './session.ts';
import type { DeclaredTool, McpSettings } from './settings.ts';

const TEXT_MAX = 256 * 1024;

/** The session of an instance, which its tools share; it is found by the very settings that a tool is called with. */
const sessions = new WeakMap<McpSettings, { session: Session; pins: readonly Pinned[]; name: string }>();

/** Gives the session of an instance, what is pinned for it, and its name. */
export function sessionOf(settings: McpSettings): { session: Session; pins: readonly Pinned[]; name: string } {
  const found = sessions.get(settings);
  if (found) return found;
  return { session: createSession(settings, []), pins: [], name: 'mcp' };
}

/**
 * Makes the tools of one foreign server: those that the operator allows by name and has pinned, with the pinned text and schema.
 * @throws NightshiftError `invalid_config` for a pin that cannot be used, or a declaration that names arguments which the tool lacks.
 */
export function foreignTools(
  declarations: readonly unknown[],
  { name: instance, settings }: OwnedBy<McpSettings>,
): Tool<McpSettings>[] {
  const pins = asPins(instance, declarations).filter(({ definition }) =>
    Object.hasOwn(settings.tools, definition.name),
  );
  const session = createSession(settings, pins);
  sessions.set(settings, { session, pins, name: instance });
  const problems: Problem[] = [];
  const tools = pins.flatMap((pin) => {
    const declared = settings.tools[pin.definition.name] as DeclaredTool;
    try {
      const tool = toolOf(pin, { instance, declared, session });
      problems.push(...strayArguments(tool, declared, `toolsets.${instance}.tools.${pin.definition.name}`));
      return [tool];
    } catch (error) {
      if (!(error instanceof UnusableSchema)) throw error;
      const fix = 'take it out of tools:';
      problems.push({ field: `toolsets.${instance}.tools.${pin.definition.name}`, message: error.message, fix });
      return [];
    }
  });
  if (problems.length > 0) throw new NightshiftError('invalid_config', describeProblems(problems), { problems });
  return tools;
}

/**
 * Gives the class of a foreign tool: what the operator declared, raised where the server itself says more (SECURITY.md C05). Only a hint
 * that is there counts. The protocol reads an absent one as the worst, but most servers give none, so taken at its word it would say
 * nothing about any tool, and the operator, who has looked at the pin, has said more. No hint lowers anything: a lie gains nothing.
 */
export function riskWithHints(
  declared: RiskClass,
  { readOnlyHint, destructiveHint }: Definition['annotations'],
): RiskClass {
  const contradicted = destructiveHint === true || (declared === 'read' && readOnlyHint === false);
  const isBelow = RISK_CLASSES.indexOf(declared) < RISK_CLASSES.indexOf('destructive');
  return contradicted && isBelow ? 'destructive' : declared;
}

function toolOf(
  pin: Pinned,
  { instance, declared, session }: { instance: string; declared: DeclaredTool; session: Session },
): Tool<McpSettings> {
  const { definition, server, sha256 } = pin;
  const risk = riskWithHints(declared.risk, definition.annotations);
  const isRead = risk === 'read';
  const run: Tool<McpSettings>['run'] = async (input, { signal }) =>
    resultOf(await session.call(pin, input, { signal, isRead }));
  return {
    name: `${instance}.${definition.name}`,
    description: definition.description === '' ? `The tool ${definition.name} of ${instance}.` : definition.description,
    input: readInputSchema(definition.inputSchema),
    risk,
    scope: declared.scope,
    target: (input) => (declared.target === undefined ? definition.name : fillText(declared.target, input)),
    undo: isRead ? 'nothing to undo' : declared.undo,
    timeoutSeconds: declared.timeoutSeconds,
    manifest: { pin: sha256, server: server.name, declared },
    ...(isRead
      ? {}
      : {
          check: declared.check,
          inverse: declared.inverse,
          inspect: async () => {
            await session.requirePinned(pin);
            const preview = [
              `asks the MCP server ${server.name} for ${definition.name}, which is as it was pinned (${sha256.slice(0, 12)})`,
              'that server cannot be asked first what it would do',
            ].map(previewLine);
            return { uid: null, population: null, preview };
          },
        }),
    run,
  };
}

/** Structure where the server gives it, and its words otherwise. */
function resultOf(result: CallToolResult): Record<string, unknown> {
  if (result.structuredContent) return result.structuredContent;
  const text = textOf(result);
  return { text: text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX)}… (cut here)` : text };
}

function strayArguments(tool: Tool<McpSettings>, { target, scope }: DeclaredTool, field: string): Problem[] {
  const known = Object.keys(tool.input.shape);
  return [...placeholdersIn(target), ...Object.keys(scope)]
    .filter((name) => !known.includes(name.split('.')[0] ?? ''))
    .map((name) => ({
      field,
      value: name,
      message: 'is no argument of this tool',
      fix: `use one of ${known.join(', ') || 'none: it takes no arguments'}`,
    }));
}
