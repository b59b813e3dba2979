import type { ChannelTables } from './tables/channels.ts';
import type { IncidentTables } from './tables/incidents.ts';
import type { KnowledgeTables } from './tables/knowledge.ts';
import type { ModelTables } from './tables/models.ts';
import type { PeopleTables } from './tables/people.ts';

/** Every table, as the newest migration leaves it. */
export interface Schema extends IncidentTables, KnowledgeTables, ModelTables, PeopleTables, ChannelTables {}
