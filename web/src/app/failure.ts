import { notifications } from '@mantine/notifications';
import { wordsOf } from '../components/trouble.tsx';

/** Says what failed and what to do about it, until somebody has read it, where no place on the page is left to say it. */
export function showFailure(error: unknown): void {
  const { message, fix } = wordsOf(error);
  notifications.show({ title: message, message: fix && `Fix: ${fix}`, color: 'red', autoClose: false, role: 'alert' });
}
