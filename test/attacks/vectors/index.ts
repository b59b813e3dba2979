/** The ways in that this harness knows, by the names that the cases use. */
import type { VectorName } from '../case.ts';
import { alertAnnotation } from './alert-annotation.ts';
import { label } from './label.ts';
import { llmOutput } from './llm-output.ts';
import { logLine } from './log-line.ts';
import { mcpToolDescription } from './mcp-tool-description.ts';
import { pastIncident } from './past-incident.ts';
import { runbook } from './runbook.ts';
import { slackPayload } from './slack-payload.ts';
import { toolResult } from './tool-result.ts';
import type { Vector } from './vector.ts';

export const VECTOR_BY_NAME: Readonly<Record<VectorName, Vector>> = {
  alert_annotation: alertAnnotation,
  label,
  llm_output: llmOutput,
  log_line: logLine,
  mcp_tool_description: mcpToolDescription,
  past_incident: pastIncident,
  runbook,
  slack_payload: slackPayload,
  tool_result: toolResult,
};

/** Gives a vector by its name, or null for one that nobody foresaw. */
export function vectorOf(name: string): Vector | null {
  return Object.hasOwn(VECTOR_BY_NAME, name) ? VECTOR_BY_NAME[name as VectorName] : null;
}
