import '@mantine/core/styles/Kbd.css';
import { Kbd, Modal } from '@mantine/core';
import classes from './key-help.module.css';
import { PLACES } from './keys.ts';

const KEYS: readonly (readonly [readonly string[], string])[] = [
  [['?'], 'these keys'],
  [['/'], 'search (also Ctrl + K)'],
  ...PLACES.map(({ key, name }) => [['g', key], `go to ${name}`] as const),
  [['j'], 'next in the list'],
  [['k'], 'previous in the list'],
  [['Enter'], 'open'],
  [['a'], 'approve: asks once more'],
  [['d'], 'deny: asks once more'],
  [['Ctrl', 'Enter'], 'send the answer'],
  [['Esc'], 'close'],
];

/** Shows which keys there are. */
export function KeyHelp({ onClose }: { readonly onClose: () => void }) {
  return (
    <Modal opened onClose={onClose} title="Keys" lockScroll={false} closeButtonProps={{ 'aria-label': 'Close' }}>
      <dl className={classes.keys}>
        {KEYS.map(([keys, does]) => (
          <div key={does} className={classes.row}>
            <dt>
              {keys.map((key) => (
                <Kbd key={key}>{key}</Kbd>
              ))}
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
    </Modal>
  );
}
