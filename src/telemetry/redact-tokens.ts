/** Secrets that give themselves away by their own shape, as their issuers document it. */

/** Where a secret stands in a text, end exclusive, and what kind it is. */
export interface Span {
  readonly start: number;
  readonly end: number;
  readonly type: string;
}

/** One way to find secrets; the one group that took part, where the pattern has any, ends the match and is what is hidden. */
export interface Rule {
  readonly type: string;
  /** A text without any of these holds nothing for the rule: looking for them is much cheaper than the pattern. */
  readonly hints: readonly string[];
  readonly pattern: RegExp;
  readonly accepts?: (found: string, at: number, text: string) => boolean;
}

const WORD_BEFORE = '(?<![A-Za-z0-9])';

/**
 * The least lengths are below the real ones, so that a token which somebody else has cut leaves no half to guess from. No pattern
 * can go back over what it has read: each starts with a literal and ends with one class of characters.
 */
export const TOKEN_RULES: readonly Rule[] = [
  rule(
    'aws-access-key-id',
    ['AKIA', 'ASIA', 'AROA', 'AIDA', 'ABIA', 'ACCA'],
    /(?:A[KS]IA|AROA|AIDA|ABIA|ACCA)[A-Z0-9]{12,}/g,
  ),
  rule('github-token', ['gho_', 'ghp_', 'ghr_', 'ghs_', 'ghu_'], /gh[oprsu]_[A-Za-z0-9_]{10,}/g, hasDigitOrUpper),
  rule('github-token', ['github_pat_'], /github_pat_[A-Za-z0-9_]{10,}/g),
  rule('gitlab-token', ['gl'], /gl(?:agent|cbt|dt|ffct|ft|imt|oas|pat|ptt|rt|rtr|soat)-[\w.-]{10,}/g, hasDigitOrUpper),
  rule('slack-token', ['xox'], /xox[abceoprs](?:\.xox[bp])?-[A-Za-z0-9-]{8,}/g),
  rule('slack-token', ['xapp-'], /xapp-[A-Za-z0-9-]{8,}/g),
  rule(
    'slack-webhook',
    ['hooks.slack'],
    /hooks\.slack(?:-gov)?\.com\/(?:actions|commands|services|triggers|workflows)\/([\w/+%-]{10,})/g,
  ),
  rule('stripe-key', ['k_live_', 'k_test_'], /[prs]k_(?:live|test)_[A-Za-z0-9]{8,}/g),
  rule('stripe-key', ['whsec_'], /whsec_[A-Za-z0-9+/=]{16,}/g),
  rule('google-api-key', ['AIza'], /AIza[\w-]{16,}/g),
  rule('google-oauth-token', ['ya29.', 'GOCSPX-'], /(?:ya29\.|GOCSPX-)[\w.-]{10,}/g),
  rule('npm-token', ['npm_'], /npm_[A-Za-z0-9]{16,}/g, hasDigitOrUpper),
  rule('pypi-token', ['pypi-'], /pypi-[\w-]{16,}/g, hasUpper),
  rule('rubygems-token', ['rubygems_'], /rubygems_[0-9a-f]{16,}/g),
  rule('docker-token', ['dckr_'], /dckr_(?:oat|pat)_[\w-]{10,}/g),
  rule('twilio-key', ['SK'], new RegExp(`${WORD_BEFORE}SK[0-9a-f]{32}`, 'g')),
  rule('sendgrid-key', ['SG.'], new RegExp(`${WORD_BEFORE}SG\\.[\\w-]{10,}(?:\\.[\\w-]+)?`, 'g')),
  rule('mailgun-key', ['key-'], new RegExp(`${WORD_BEFORE}key-[0-9a-f]{32}`, 'g')),
  rule('pagerduty-token', ['u+'], new RegExp(`${WORD_BEFORE}u\\+[A-Za-z0-9_-]{18}(?![\\w-])`, 'g'), hasDigitOrUpper),
  rule(
    'pagerduty-key',
    ['events.pagerduty.com/'],
    /events(?:\.eu)?\.pagerduty\.com\/(?:[\w.-]+\/){1,4}([A-Za-z0-9]{20,})/g,
  ),
  rule('anthropic-key', ['sk-ant-'], /sk-ant-[\w-]{10,}/g),
  rule('openai-key', ['sk-'], new RegExp(`${WORD_BEFORE}sk-[\\w-]{20,}`, 'g'), hasDigitOrUpper),
  rule('huggingface-token', ['hf_'], new RegExp(`${WORD_BEFORE}(?:api_org|hf)_[A-Za-z0-9]{20,}`, 'g'), hasUpper),
  rule('digitalocean-token', ['_v1_'], /do[opr]_v1_[0-9a-f]{16,}/g),
  rule('vault-token', ['hvb.', 'hvr.', 'hvs.'], /hv[brs]\.[\w-]{10,}/g),
  rule('vault-token', ['s.'], /(?<![\w.-])s\.[A-Za-z0-9]{24}(?![\w.-])/g, isMixed),
  // Only where a run of such characters begins: from every `eyJ` inside of one, the whole run would be read again.
  rule('jwt', ['eyJ'], /(?<![\w-])eyJ[\w-]{8,}\.[\w-]*\.[\w-]{4,}(?:\.[\w-]*){0,2}/g),
  rule('jwt', ['.eyJ'], /\.eyJ[\w-]{4,}(?:\.[\w-]*)?/g),
  rule('grafana-token', ['glc_', 'glsa_', 'eyJrIjoi'], /(?:glc_|glsa_|eyJrIjoi)[\w+/=-]{16,}/g),
  rule('databricks-token', ['dapi'], new RegExp(`${WORD_BEFORE}dapi[0-9a-f]{32}(?:-\\d)?`, 'g')),
  rule('azure-client-secret', ['Q~'], /[A-Za-z0-9_~.-]{3}\dQ~[A-Za-z0-9_~.-]{31,34}/g),
  rule('terraform-token', ['.atlasv1.'], /(?<![A-Za-z0-9])[A-Za-z0-9]{14}\.atlasv1\.[\w-]{20,}/g),
  rule('shopify-token', ['shp'], /shp(?:at|ca|pa|ss)_[0-9a-fA-F]{16,}/g),
  rule('atlassian-token', ['ATATT3', 'ATCTT3', 'ATBB'], /(?:ATATT3|ATCTT3|ATBB)[\w=-]{20,}/g),
  rule('newrelic-key', ['NRAK-', 'NRII-'], /NR(?:AK-|II-)[\w-]{20,}/g),
  rule('linear-key', ['lin_'], /lin_(?:api|oauth)_[A-Za-z0-9]{16,}/g),
  rule('sentry-token', ['sntry'], /sntry[su]_[\w=+/-]{20,}/g),
  rule('doppler-token', ['dp.'], /(?<![\w.-])dp\.(?:audit|ct|pt|scim|sa|st)\.[\w.-]{16,}/g),
  rule('planetscale-token', ['pscale_'], /pscale_(?:oauth|pw|tkn)_[\w.-]{16,}/g),
  rule('postman-key', ['PMAK-'], /PMAK-[0-9a-f]{20,}(?:-[0-9a-f]+)?/g),
  rule('pulumi-token', ['pul-'], new RegExp(`${WORD_BEFORE}pul-[0-9a-f]{40}`, 'g')),
  rule('age-key', ['AGE-SECRET-KEY-1'], /AGE-SECRET-KEY-1[0-9A-Z]{10,}/g),
  rule('telegram-token', [':AA'], /(?<![\w-])\d{8,10}:AA[\w-]{30,}/g),
  rule('discord-webhook', ['/api/webhooks/'], /discord(?:app)?\.com\/api\/webhooks\/([\w/-]{20,})/g),
  rule('teams-webhook', ['webhook.office.com'], /webhook\.office\.com\/webhookb2\/([\w@/-]{20,})/g),
  rule('password-hash', ['$'], /\$(?:2[aby]?|5|6|y|argon2i?d?)\$[\w./$=,+-]{20,}/g),
  rule('nightshift-token', ['nst_'], /nst_[\w-]{10,}/g),
  rule('azure-sas', ['sig='], /[?&;]sig=([A-Za-z0-9%+/=_-]{16,})/g),
  rule('url-signature', ['ignature='], /[Ss]ignature=([A-Za-z0-9%+/=_~-]{20,})/g),
  // The secret key carries no mark of its own: exactly 40 characters, in a text that is about AWS.
  rule('aws-secret-key', ['AKIA', 'ASIA', 'aws', 'AWS', 'Aws'], /(?<![\w/+=-])[A-Za-z0-9/+]{40}(?![\w/+=-])/g, isMixed),
];

function rule(type: string, hints: readonly string[], pattern: RegExp, accepts?: Rule['accepts']): Rule {
  return { type, hints, pattern, ...(accepts ? { accepts } : {}) };
}

function hasDigitOrUpper(found: string): boolean {
  return /[0-9A-Z]/.test(found.slice(4));
}

function hasUpper(found: string): boolean {
  return /[A-Z]/.test(found);
}

/** Tells whether a word has lower-case and upper-case letters and digits, as random ones of some length do and names rarely. */
export function isMixed(found: string): boolean {
  return /[a-z]/.test(found) && /[A-Z]/.test(found) && /[0-9]/.test(found);
}
