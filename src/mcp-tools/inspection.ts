/** The key in an MCP request's `_meta` that asks for an inspection instead of a run. */
export const INSPECT_META = 'nightshift/inspect';
/** The longest that an inspection may take, the start of a toolset's process included. */
export const INSPECT_SECONDS_MAX = 10;
/** What a person can take in before answering; a longer preview is refused, not cut, so that nothing is hidden unsaid. */
export const PREVIEW_LINES_MAX = 40;
export const PREVIEW_LINE_CHARACTERS_MAX = 200;

/** Cuts one line of a preview to the characters that a preview may show, and says so by an ellipsis. */
export function previewLine(text: string): string {
  return text.length > PREVIEW_LINE_CHARACTERS_MAX ? `${text.slice(0, PREVIEW_LINE_CHARACTERS_MAX - 1)}…` : text;
}
