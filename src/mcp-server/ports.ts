import type { Services } from '../config/index.ts';
import type { Database } from '../database/index.ts';
import type { Catalogue, Look } from '../mcp-tools/index.ts';
import type { Embedder } from '../rag/index.ts';
import type { People } from '../remediation/index.ts';
import type { Tracer } from '../telemetry/index.ts';

/** What the server speaks for. */
export interface McpPorts {
  readonly db: Database;
  readonly services: Services;
  readonly people: People;
  readonly catalogue: Catalogue;
  readonly look: Look;
  readonly embedder: Embedder;
  readonly tracer: Tracer;
}
