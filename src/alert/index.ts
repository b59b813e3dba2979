/** What an alert is, whoever sent it, and how label matchers select it. Never talks to the network or the database. */
export { type Alert, commonLabels, fingerprintOf, type Labels, labelsSchema, titleOf } from './alert.ts';
export { type Matcher, makeMatcher, matchesLabels, parseMatcherList, parseMatchers } from './matcher.ts';
export { isPageWorthy, SEVERITIES, SEVERITY_RANKS, type Severity, severityOf } from './severity.ts';
