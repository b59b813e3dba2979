/** What many rows say together: what goes on now, figures over days, and the story of one incident for people. Only reads, and asks no model. */
export { type Chart, chartsOf } from './charts.ts';
export { type Insights, insightsOf } from './figures.ts';
export { type Glance, type Present, presentIncidents } from './now.ts';
export { type Course, courseOf, type OutcomeName } from './outcome.ts';
export { postmortem } from './postmortem.ts';
export { loadStory, type Story } from './story.ts';
