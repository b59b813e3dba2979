import { useEffect, useRef } from 'react';
import { Since } from '../components/moment.tsx';
import { lookOf } from '../components/state.tsx';
import { span } from '../components/time.ts';
import classes from './stage-bar.module.css';
import type { Chapter } from './story.ts';

interface StageBarProps {
  readonly chapters: readonly Chapter[];
  readonly isReplay: boolean;
  readonly isOver: boolean;
}

/** Shows the way of an incident through its stages, each as wide as it took long (within reason), with where it stands now. */
export function StageBar({ chapters, isReplay, isOver }: StageBarProps) {
  const longest = Math.max(1, ...chapters.map(({ seconds }) => Math.log2(2 + seconds)));
  const bar = useRef<HTMLOListElement>(null);
  // Where it is too long, its end is what counts.
  // biome-ignore lint/correctness/useExhaustiveDependencies: it is longer with each chapter.
  useEffect(() => {
    bar.current?.scrollTo({ left: bar.current.scrollWidth });
  }, [chapters.length]);
  return (
    <ol className={classes.bar} aria-label="Stages" ref={bar}>
      {chapters.map((chapter) => {
        const { word, icon: Icon, tone } = lookOf(chapter.stage);
        const isCurrent = chapter === chapters.at(-1) && !(isOver && !isReplay);
        return (
          <li
            key={chapter.key}
            className={classes.stage}
            style={{ flexGrow: 1 + (2 * Math.log2(2 + chapter.seconds)) / longest }}
            data-tone={tone}
            aria-current={isCurrent ? 'step' : undefined}
          >
            <a href={`#chapter-${chapter.key.split(' ')[0]}`} className={classes.link}>
              <Icon size={14} aria-hidden="true" />
              <span className={classes.word}>{word}</span>
              <span className={classes.took}>
                {isCurrent && !isReplay ? <Since at={chapter.from} /> : span(chapter.seconds)}
              </span>
            </a>
          </li>
        );
      })}
    </ol>
  );
}
