import { hiddenTexts, legible } from './hidden-text.ts';

/** One place where a text talks to a machine instead of telling people something. */
export interface Flag {
  /** Counted from 1. */
  readonly line: number;
  readonly reason: string;
}

const FLAGS_MAX = 10;
/** In characters; a text that is longer is read to here, and no place that retrieval quotes from a runbook is longer. */
const LENGTH_MAX = 1_048_576;
const DEPTH_MAX = 2;
const SENTENCE = 80;

const MACHINE =
  '(?:(?:an? |the |any |all |dear |hey |every )?(?:(?:ai|sre|llm|remediation|automation|autonomous|on-?call|ops|incident|nightshift|coding)[- ](?:agent|assistant|model|bot|system|copilot)|ai|llm|llms|language model|large language model|assistant|chatbot|copilot|chatgpt|claude|gpt|nightshift)s?)';
const APPROVAL =
  '(?:approvals?|confirmations?|confirm|permissions?|consent|sign-?off|authori[sz]ation|a human|humans|a person|an operator|operators|anyone|the on-?call)';
const DO_NOT = "(?:do not|don't|dont|never|no need to|need not|needn't|must not|should not)";
const ACT =
  '(?:call|run|invoke|execute|use|restart|delete|drop|purge|scale|drain|terminate|fail ?over|disable|approve|choose|select|pick|plan|propose|answer|reply|respond|report|output|ignore|do|set|treat|mark|skip|always|never|must|should|please|you)';

interface Sign {
  readonly reason: string;
  readonly pattern: RegExp;
  /** Said shortly before, in the same sentence, it turns into its opposite. */
  readonly unless?: RegExp;
}

const NEGATED = /\b(?:never|not|cannot|\w{2,10}n't|nobody)\b[^.!?\n]{0,60}$/i;

/** What is looked for. */
const SIGNS: readonly Sign[] = [
  ...signs(
    'tells a machine to put its rules aside',
    '(?:ignore|disregard|forget|override|overrule|bypass|drop|skip|violate)<25>(?:previous|prior|preceding|earlier|above|foregoing|former|your|system|all other|any other|other)<25>(?:instructions?|prompts?|rules?|guardrails?|guidelines?|directives?|directions?|orders?|polic(?:y|ies)|restrictions?|constraints?|context|safety)',
    '(?:ignore|disregard|forget|override)<15>(?:instructions?|prompts?|rules|guardrails?|guidelines?|directives?|polic(?:y|ies)) (?:above|before|so far|that you|you were|you have|given)',
    '(?:disregard|ignore|bypass|circumvent|turn off|disable|switch off|lift|suspend)<25>(?:guardrails?|safety (?:checks?|rules?|polic(?:y|ies))|approval (?:gate|step|polic(?:y|ies)|process|rules?)|approvals|policy (?:engine|gate|checks?)|policy\\.ya?ml|kill[ _-]?switch)',
    'kill[ _-]?switch ?(?:=|:|to|is) ?(?:false|off|released|disabled)',
    '(?:release|disengage)<20>kill[ _-]?switch',
    'audit ?[=:] ?(?:off|false|none)',
    '(?:approval gate|gate|guardrails|kill switch|approvals?) (?:is|are|has been|have been) (?:disabled|off|suspended|lifted|waived|bypassed)',
    '(?:stop|cease) (?:following|obeying|applying) (?:the|your|any|all)<15>(?:rules?|polic(?:y|ies)|instructions?|guidelines?)',
    '(?:ignorier\\w{1,3} (?:alle |die |bitte |sämtliche )*(?:vorherigen|bisherigen|obigen|früheren)|ignore[zr]? (?:toutes )?les (?:instructions|consignes)|ignor[ae]r? (?:todas )?las instrucciones|ignor[ei] (?:tutte )?le istruzioni|ignore (?:todas )?as instruções)',
  ),
  { reason: 'tells a machine to put its rules aside', pattern: /忽略(?:之前|以上|所有|先前|前面)|игнорируй/giu },
  ...signs(
    'changes who may approve',
    '(?:add|append|insert|put|make|register|grant)<40>(?:(?:to|as|among|into) (?:the |an? )?approvers?|approver (?:role|list|rights?))',
  ),
  ...signs(
    'tells a machine who it is',
    'you are (?:now|no longer|hereby|henceforth)<40>(?:agent|assistant|ai|model|mode|admin\\w*|root|operator|unrestricted|unbound|allowed|authori[sz]ed|permitted|bound|free|required|in charge|dan)',
    'you are (?:an? |the )?(?:helpful |autonomous |unrestricted )?(?:ai|llm|language model|assistant|sre agent|ai agent)',
    'act as (?:if you|an? (?:ai|unrestricted|autonomous|administrator|assistant))',
    '(?:developer|god|jailbreak|unrestricted|dan) mode<20>(?:on|enabled?|active|activated|now)',
    'from now on,? (?:you|your|ignore|always|treat|all)',
    'pretend (?:to be|that you|you)',
    'your (?:new|only|real|actual) (?:task|goal|role|job|objective) (?:is|now)',
    'your (?:task|goal|role|job|objective) is now',
  ),
  ...signs(
    'addresses a machine',
    `${MACHINE} (?:must|should|shall|will now|has to|have to|need to|needs to|is (?:authori[sz]ed|allowed|permitted|required|instructed|free|to)|are (?:authori[sz]ed|allowed|permitted|required|instructed|free|to)|may (?:now )?(?:skip|act|proceed|execute|run))`,
    `(?:${MACHINE}|automated systems?|agents?|models?|bots?) (?:that (?:is|are) )?(?:reading|processing|summari[sz]ing|parsing|ingesting|seeing) (?:this|these)`,
    '(?:agents?|models?|bots?|planner|automation|automated systems?) (?:must|should|shall|has to|have to) (?:always |never |now )?(?:skip|ignore|approve|select|choose|mark|obey|comply|bypass|propose|pick|answer|respond|report that)',
    `(?:note|message|instructions?|notice|attention|important|reminder|directive|guidance|hint|request|memo|orders?|task)s? (?:to|for) (?:${MACHINE}|(?:the |any |all )?(?:agents?|models?|bots?|planners?|automation|machines?) ?[:,(-])`,
    `(?:if|when|since|because|as) (?:you are|you're|you were|an?|this is (?:read|processed|seen) by an?) ${MACHINE}`,
    'when (?:summari[sz]ing|reading|processing|answering|quoting|analy[sz]ing) this (?:document|text|runbook|page|file|alert|message)',
  ),
  {
    reason: 'addresses a machine',
    pattern: new RegExp(
      `(?:^|[\\n([{<"'*.;!-])\\s{0,8}@?(?:${spaced(MACHINE)}|agents?|planner|model|bot)\\s{0,3}(?:(?::|--|—|–)\\s{0,8}(?:please\\s{1,5})?(?:after|before|also|first|then|now|next|instead|this|when|if|ok|understood|sure|${spaced(ACT)})|,\\s{0,8}(?:please\\s{1,5})?(?:also|now|${spaced(ACT)}))\\b`,
      'giu',
    ),
  },
  ...signs(
    'tells a machine not to ask',
    `${DO_NOT} (?:ever |even |have to )?(?:ask|wait|request|seek|require|obtain|prompt|escalate|consult)<30>${APPROVAL}`,
    '(?:no|without any|without) (?:human |further |additional |manual |operator |prior )*(?:approval|confirmation|permission|sign-?off|consent|authori[sz]ation|review) (?:is |was |are )?(?:needed|required|necessary|asked)',
    '(?:skip|skipping|waive|waives|waived) (?:the |all |any |its |usual |normal )*(?:approvals?|confirmations?|sign-?off|human review|approval step)',
    'no (?:human|person|one|operator|approver)s? (?:needs?|has|have|must|is needed|is required) to (?:approve|confirm|agree|review|sign)',
    'approvals? (?:is|are|was|were|has been|have been|can be|may be) (?:already |hereby |not )?(?:given|granted|waived|skipped|needed|required|bypassed)(?<!not (?:given|granted))(?<!(?:is|are|was|were) (?:needed|required))',
  ),
  ...signs(
    'tells a machine not to ask',
    `without (?:asking|waiting|requesting|seeking|requiring|obtaining|prompting|consulting)<30>${APPROVAL}`,
    '(?:proceed|execute|run|act|continue|apply|go ahead|restart|delete|purge)<30>without (?:any |human |further |additional |manual |operator |prior )*(?:approval|confirmation|permission|sign-?off|consent|authori[sz]ation|review)',
  ).map((sign) => ({ ...sign, unless: NEGATED })),
  ...signs(
    'claims an approval',
    'approves? (?:it |this |them |everything |all |any |every )?(?:\\w{1,20} )?automatically',
    'automatically approved?',
    '(?<![-\\w])auto-?approved?,? (?:this|all|any|every|it|the|by|for|and)',
    'pre-?approved',
    'already (?:been )?(?:approved|authori[sz]ed|confirmed|cleared) by',
    '(?:treat|mark|regard|consider|count|classify)<40>as (?:already |pre-?)?(?:approved|safe|authori[sz]ed|read-?only|confirmed|low[- ]risk|trusted)',
    '(?:operators?|admins?|administrators?|managers?|security team|change board|security|sres?|leads?|vendors?|ciso|cto) (?:has |have )?(?:asks?|asked|wants?|wanted|orders?|ordered|needs?|instructs?|instructed|authori[sz]ed?s?|requires?) you to',
  ),
  {
    reason: 'claims an approval',
    pattern: /"(?:state|status|decision|verdict)"\s?:\s?"(?:approved|approve|allow|allowed)"/giu,
  },
  ...signs(
    'tells a machine to keep something from people',
    `${DO_NOT} (?:mention|tell|inform|reveal|disclose|report|log)<20>(?:this|it|user|users|human|humans|operator|operators|anyone|anybody|person|people|on-?call|team)(?! (?:is|was|until|unless|if|as))`,
    'keep (?:this|it) (?:secret|hidden|between us)',
  ),
  ...signs(
    'asks for what a machine was told',
    '(?:print|reveal|repeat|output|show|leak|dump|send|disclose|include|quote)<25>(?:system prompt|your (?:initial |hidden |secret |own )?(?:prompt|instructions|rules|keys|credentials|context|tools))',
  ),
  ...signs(
    'tells a machine what to answer',
    '(?:answer|reply|respond|report|output|return|state|say|set|use)<20>(?:confidence|root[_ ]cause|inconclusive)<20>(?:high|is|as|to|=|:|false|true)',
    '(?:answer|reply|respond) only with (?:the |a |this |an )?(?:json|word|text|string|tool|sentence|yes|call|approval)',
    '(?:new|updated|revised|real|actual|hidden|system) (?:system )?(?:instructions?|prompt|directive|orders)(?: follow\\w*)? ?[:—]',
    '(?:system|admin|administrator|safety|security) override',
    'override (?:code|key|token|phrase) ?[:=]',
    '(?:then|and) (?:obey|comply)',
    'obey (?:the|this|these|it|all|my)',
  ),
  ...signs(
    'tells a machine to call a tool',
    '(?:call|invoke|trigger|execute|use)s? (?:the )?(?:tools? |function )?[a-z0-9-]{1,40}[/.:](?:[a-z0-9]{1,40}_[a-z0-9_]{1,60}|failover|drain|terminate|purge|delete|scale|restart|run_sql)',
    '(?:call|invoke|use) (?:the )?tool [a-z0-9-]{1,40}[_./][\\w./-]{1,80}',
  ),
  {
    reason: 'tells a machine to call a tool',
    pattern:
      /\b(?:tool|function)[ _-]?(?:call|use)s?\s?:\s?[\w{"[]|"(?:tool|tool_name|function|function_call)"\s?:\s?"[^"\n]{1,80}"\s?,\s?"(?:arguments|args|parameters|params|input|with)"\s?:|"name"\s?:\s?"[^"\n]{1,80}"\s?,\s?"arguments"\s?:|\b(?:use|call|connect to|ask|add|register|trust)\b[^\n.]{0,40}\bhttps?:\/\/[^\s]{1,100}\/(?:mcp|sse)\b/giu,
  },
  {
    reason: 'looks like a turn of a conversation with a model',
    pattern:
      /<\|[a-z_0-9]{2,30}\|>|\[\/?INST\]|<<\/?SYS>>|<\/?(?:system|assistant|user|human|tool_result|tool_use|function_calls?|invoke|instructions?|system-reminder|evidence|alerts|question|incident|untrusted|im_start|im_end)(?:\s[^>\n]{0,80})?>|(?:^|\n)\s{0,4}(?:human|assistant)\s?:\s?\S|(?:^|\n)\s{0,4}(?:system|developer)\s?:\s{0,3}(?:you\b|ignore\b|override\b|new\b|from\b|the\s(?:ai|assistant|agent|model|operator)\b|approval|always\b|never\b|call\b|disregard\b|all\b)|###\s?(?:instruction|system|response)s?\s?:/giu,
  },
];

/** Seen only where people do not see it, as in a comment; there even a mention of who might read it tells enough. */
const HIDDEN_SIGNS = signs(
  'talks to a machine',
  `(?:${MACHINE}|agents?|planner|bot) ?[:,]`,
  '(?:approv(?:e|al|ed)|instructions?|obey)<60>(?:call|run|execute|delete|drop|restart|scale|disable|must|you)',
  '(?:call|run|execute|invoke)<40>(?:do not mention|silently|secretly|[a-z0-9-]{1,40}/[a-z0-9_]{3,60})',
);

/**
 * Finds the places of a text that talk to a machine: instructions to an assistant, claims of approval, tool calls, turns of a
 * conversation, and the same where people do not see it (comments, invisible characters, base64); at most ten, in the order of
 * lines. It reads words and not meaning: it marks, and what keeps a text from acting must not hang on it alone.
 */
export function findInstructions(text: string): Flag[] {
  const flags = search(text.slice(0, LENGTH_MAX), 0).sort((a, b) => a.line - b.line);
  const seen = new Set<string>();
  return flags
    .filter(({ line, reason }) => {
      const key = `${line} ${reason}`;
      return !seen.has(key) && seen.add(key);
    })
    .slice(0, FLAGS_MAX);
}

/** Says in one line what was found, for titles and cards. */
export function describeFlags(flags: readonly Flag[]): string {
  return flags.map(({ line, reason }) => `line ${line} ${reason}`).join(', ');
}

function search(text: string, depth: number): Flag[] {
  const flags: Flag[] = [];
  const plain = legible(text);
  const plainLineAt = lineFinder(plain);
  for (const { reason, pattern, unless } of SIGNS) {
    let found = 0;
    for (const match of plain.matchAll(pattern)) {
      if (unless?.test(plain.slice(Math.max(0, match.index - SENTENCE), match.index))) continue;
      // A match may begin with the break of the line before.
      const lead = /^\s*/.exec(match[0])?.[0].length ?? 0;
      flags.push({ line: plainLineAt(match.index + lead), reason });
      found += 1;
      if (found === FLAGS_MAX) break;
    }
  }
  const lineAt = lineFinder(text);
  for (const { at, hidden, how, telling } of hiddenTexts(text)) {
    const isTold =
      (depth < DEPTH_MAX && search(hidden, depth + 1).length > 0) ||
      HIDDEN_SIGNS.some(({ pattern }) => legible(hidden).search(pattern) !== -1);
    if (isTold) flags.push({ line: lineAt(at), reason: `${how} talks to a machine` });
    else if (telling) flags.push({ line: lineAt(at), reason: `holds ${how}` });
  }
  return flags;
}

/** Makes signs of patterns of whole words, where a blank is white space and `<25>` at most 25 characters of one sentence. */
function signs(reason: string, ...patterns: readonly string[]): Sign[] {
  return patterns.map((pattern) => ({ reason, pattern: new RegExp(`(?<!\\w)(?:${spaced(pattern)})(?!\\w)`, 'giu') }));
}

function spaced(pattern: string): string {
  return pattern
    .replace(/<(\d+)>/g, '\\b(?:[^.!?]|\\.(?=\\w)){0,$1}\\b')
    .replaceAll(' ?', '\\s{0,3}')
    .replaceAll(' ', '\\s{1,5}');
}

/** Tells lines by their offsets, in logarithmic time. */
function lineFinder(text: string): (offset: number) => number {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return (offset) => {
    let [low, high] = [0, starts.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  };
}
