import type { Command } from 'commander';
import { inDollars } from '../config/index.ts';
import { plain } from '../incident/index.ts';
import type { ModelState, ModelsState } from '../llm/index.ts';
import { findServer } from './client.ts';
import type { Terminal } from './terminal.ts';

/** Adds the command that shows the models as the running server sees them. */
export function addModelCommands(program: Command, terminal: Terminal): void {
  const { out } = terminal;
  program
    .command('models')
    .description('show each model: what it costs, whether it is asked, for what, and what was spent today')
    .option('--json', 'print JSON')
    .action(async ({ json }: { json?: boolean }) => {
      const state = await findServer(terminal).request<ModelsState>('GET', '/models');
      if (json) return out(JSON.stringify(state, null, 2));
      if (state.models.length === 0) out('no model is configured: every incident goes by its runbooks alone');
      for (const one of state.models) for (const line of linesOf(one)) out(line);
      for (const { field, spentUsd, ceilingUsd } of state.ceilings)
        out(`spent today: ${inDollars(spentUsd)} of ${inDollars(ceilingUsd)} (${field})`);
      out(`an incident may cost ${inDollars(state.incidentCeilingUsd)} (spending.incidentUsd)`);
    });
}

function linesOf({ name, tier, host, price, limits, p50Ms, roles, ...state }: ModelState): string[] {
  const { requestsPerMinute: requests, tokensPerMinute: tokens } = limits;
  const within = [requests && `${requests} requests`, tokens && `${tokens} tokens`].filter(Boolean).join(' and ');
  const speed = p50Ms === null ? 'not measured lately' : `p50 ${(p50Ms / 1000).toFixed(1)} s`;
  return [
    `${plain(name)}  ${tier}  ${plain(host)}  ${statusOf(state)}  ${speed}`,
    `  price: ${priceOf(price)}`,
    `  limits: ${within === '' ? 'none declared' : `${within} a minute`}`,
    `  roles: ${roles.length > 0 ? roles.join(', ') : 'none'}`,
  ];
}

function statusOf({
  breaker,
  openUntil,
  restsUntil,
}: Pick<ModelState, 'breaker' | 'openUntil' | 'restsUntil'>): string {
  if (breaker === 'open' && openUntil === null) return 'KEEPS FAILING, tried again with the next question';
  if (breaker === 'open') return `KEEPS FAILING, left alone until ${openUntil?.slice(11, 19)} UTC`;
  if (breaker === 'half_open') return 'tried again after failures';
  return restsUntil === null ? 'ok' : `its limits are used up until ${restsUntil.slice(11, 19)} UTC`;
}

function priceOf(price: ModelState['price']): string {
  if (!price) return 'unknown, counts toward no ceiling';
  const dollars = `$${price.input} in, $${price.output} out for a million tokens`;
  if (price.assumed) return `${dollars} (assumed: the dearest of ${price.asOf}; set its price)`;
  return `${dollars} (${price.asOf === null ? 'configured' : `list of ${price.asOf}`})`;
}
