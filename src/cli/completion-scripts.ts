import type { Argument, Command, Option } from 'commander';

/** What may stand after some words of a command line. */
interface Place {
  /** The words so far, without `nightshift`. */
  readonly words: string;
  readonly next: readonly { readonly word: string; readonly about: string }[];
  /** Words after which the next one is a value, and its choices; none where it may be anything, such as a file. */
  readonly values: readonly { readonly options: readonly string[]; readonly choices: readonly string[] }[];
}

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** Writes what a shell reads to complete the commands of a program, with all subcommands, options and their choices. */
export function renderCompletion(program: Command, shell: Shell): string {
  const places = placesOf(program, '');
  return { bash, zsh, fish }[shell](places);
}

function placesOf(command: Command, words: string): Place[] {
  const options = command.options.filter(({ hidden }) => !hidden);
  const choices = command.registeredArguments.flatMap((argument: Argument) => argument.argChoices ?? []);
  const next = [
    ...command.commands.map((one) => ({ word: one.name(), about: one.description() })),
    ...choices.map((word) => ({ word, about: '' })),
    ...options.map((option) => ({ word: option.long ?? option.short ?? '', about: option.description })),
    { word: '--help', about: 'display help for command' },
  ];
  const values = options
    .filter(({ required, optional }: Option) => required || optional)
    .map((option) => ({
      options: [option.long, option.short].flatMap((flag) => flag ?? []),
      choices: option.argChoices ?? [],
    }));
  return [
    { words, next, values },
    ...command.commands.flatMap((one) => placesOf(one, words === '' ? one.name() : `${words} ${one.name()}`)),
  ];
}

/** The function's walk over the words before the cursor, which bash and zsh share: it sets `at` to the command they name. */
function walk(places: readonly Place[]): string {
  const steps = places
    .filter(({ words }) => words !== '')
    .map(({ words }) => {
      const [last = ''] = words.split(' ').slice(-1);
      return `      '${words.slice(0, -last.length).trim()}|${last}') at='${words}' ;;`;
    });
  const values = places.flatMap((place) => place.values.map(({ options }) => ({ words: place.words, options })));
  const skipped = values.map(({ words, options }) => options.map((one) => `'${words}|${one}'`).join('|'));
  return `    if [ -n "$skip" ]; then skip=; continue; fi
    case "$at|$word" in
${skipped.length > 0 ? `      ${skipped.join('|')}) skip=1 ;;\n` : ''}${steps.join('\n')}
    esac`;
}

function valueCases(places: readonly Place[], write: (choices: readonly string[]) => string): string {
  return places
    .flatMap(({ words, values }) =>
      values.map(
        ({ options, choices }) => `    ${options.map((one) => `'${words}|${one}'`).join('|')}) ${write(choices)}`,
      ),
    )
    .join('\n');
}

function bash(places: readonly Place[]): string {
  return `# Completion of nightshift for bash: eval "$(nightshift completion bash)"
_nightshift() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} at= skip= words= word index
  COMPREPLY=()
  for ((index = 1; index < COMP_CWORD; index++)); do
    word=\${COMP_WORDS[index]}
${walk(places)}
  done
  case "$at|$previous" in
${valueCases(places, (choices) => `COMPREPLY=($(compgen -W '${choices.join(' ')}' -- "$current")); return ;;`)}
  esac
  case "$at" in
${places.map(({ words, next }) => `    '${words}') words='${next.map(({ word }) => word).join(' ')}' ;;`).join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _nightshift nightshift`;
}

function zsh(places: readonly Place[]): string {
  const quoted = (one: string) => `'${one.replaceAll("'", "'\\''")}'`;
  const item = ({ word, about }: Place['next'][number]) => quoted(`${word}${about === '' ? '' : `:${about}`}`);
  return `#compdef nightshift
# Completion of nightshift for zsh, after compinit: eval "$(nightshift completion zsh)"
_nightshift() {
  local at= skip= word previous=\${words[CURRENT-1]}
  local -a candidates
  for word in "\${(@)words[2,CURRENT-1]}"; do
${walk(places)}
  done
  case "$at|$previous" in
${valueCases(places, (choices) => (choices.length > 0 ? `compadd -- ${choices.join(' ')}; return ;;` : '_files; return ;;'))}
  esac
  case "$at" in
${places.map(({ words, next }) => `    '${words}') candidates=(${next.map(item).join(' ')}) ;;`).join('\n')}
  esac
  _describe nightshift candidates || _files
}
compdef _nightshift nightshift`;
}

function fish(places: readonly Place[]): string {
  const quoted = (one: string) => `'${one.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const steps = places
    .filter(({ words }) => words !== '')
    .map(({ words }) => {
      const [last = ''] = words.split(' ').slice(-1);
      return `      case ${quoted(`${words.slice(0, -last.length).trim()}|${last}`)}\n        set at ${quoted(words)}`;
    });
  const valued = places.flatMap(({ words, values }) =>
    values.flatMap(({ options }) => options.map((one) => quoted(`${words}|${one}`))),
  );
  const lines = places.flatMap(({ words, next, values }) => [
    ...next.map(
      ({ word, about }) =>
        `complete -c nightshift -n ${quoted(`__nightshift_at ${quoted(words)}`)} -a ${quoted(word)}${about === '' ? '' : ` -d ${quoted(about)}`}`,
    ),
    ...values.flatMap(({ options, choices }) =>
      choices.length === 0
        ? []
        : [
            `complete -c nightshift -f -n ${quoted(`__nightshift_after ${options.map((one) => quoted(`${words}|${one}`)).join(' ')}`)} -a ${quoted(choices.join(' '))}`,
          ],
    ),
  ]);
  return `# Completion of nightshift for fish: nightshift completion fish | source
function __nightshift_walk
  set -g __nightshift_place ''
  set -g __nightshift_value ''
  set -l at ''
  for word in (commandline -opc)[2..-1]
    if test -n "$__nightshift_value"
      set -g __nightshift_value ''
      continue
    end
    switch "$at|$word"
      case ${valued.join(' ')}
        set -g __nightshift_value "$at|$word"
${steps.join('\n')}
    end
  end
  set -g __nightshift_place $at
end
function __nightshift_at
  __nightshift_walk
  test -z "$__nightshift_value"; and test "$__nightshift_place" = "$argv[1]"
end
function __nightshift_after
  __nightshift_walk
  contains -- "$__nightshift_value" $argv
end
complete -c nightshift -f -n '__nightshift_walk; test -z "$__nightshift_value"'
${lines.join('\n')}`;
}
