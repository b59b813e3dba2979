import { type RefObject, useEffect, useLayoutEffect } from 'react';

/** Where the focus goes when what had it is gone: to the page, as after going to another one, so that keys work on. */
function focusPage(): void {
  document.getElementById('main')?.focus({ preventScroll: true });
}

/** Gives the focus back once something is closed that was opened from an element: to that element, or to the page where it is gone. */
export function useFocusBack(opener: Element | null): void {
  useEffect(() => {
    if (opener === null) return;
    return () => {
      if (opener instanceof HTMLElement && opener.isConnected) opener.focus({ preventScroll: true });
      else focusPage();
    };
  }, [opener]);
}

/** Keeps the focus on the page when an element goes away that has it. */
export function useFocusLeft(element: RefObject<HTMLElement | null>): void {
  useLayoutEffect(() => {
    const own = element.current;
    return () => {
      if (own?.contains(document.activeElement)) focusPage();
    };
  }, [element]);
}
