/** Every look at the world and every remedy: tools declared by toolsets, each run in a process of its own and called over MCP. Judges nothing: a call that is not `read` needs a clearance that others mint. */

export type { CallResult, InspectResult } from './call-result.ts';
export { type Call, type Catalogue, createCatalogue, type Instance, type Resolution } from './catalogue.ts';
export { askSource, type CheckResult, runChecks, type SourceState } from './check.ts';
export {
  type Clearance,
  canonicalBytes,
  canonicalSha256,
  type SignedClearance,
  verifyClearance,
} from './clearance.ts';
export { createToolClient, type ToolClient } from './client.ts';
export { meetsExpectation, parseExpectation } from './expectation.ts';
export { type Done, resolveInverse, resolveToolCheck } from './inverse.ts';
export { createLook, type Look } from './look.ts';
export {
  type Compared,
  compareForeign,
  type ForeignStatus,
  readForeignStatus,
  unpinnedTools,
} from './mcp/foreign.ts';
export { writePins } from './mcp/pins.ts';
export { CLOCK_SKEW_SECONDS, listenRemotely } from './remote.ts';
export { type Inspection, type Population, RISK_CLASSES, type RiskClass, type Tool, type Toolset } from './tool.ts';
export { createToolsetServer } from './toolset-server.ts';
export { TOOLSETS } from './toolsets.ts';
