import type { Citation, WholeIncident } from '../api/shapes.ts';
import { lookOf } from '../components/state.tsx';
import { clockTime, dayOf, span } from '../components/time.ts';
import { EventLine } from './event-line.tsx';
import type { Chapter } from './story.ts';
import classes from './timeline.module.css';

interface TimelineProps {
  readonly chapters: readonly Chapter[];
  readonly incident: WholeIncident;
  readonly isReplay: boolean;
  readonly onCite: (citation: Citation) => void;
}

/** The timeline as the story it is: a chapter for each stage, each line with what stands behind it. */
export function Timeline({ chapters, incident, isReplay, onCite }: TimelineProps) {
  const latest = isReplay ? incident.events.length - 1 : null;
  return (
    <ol className={classes.story}>
      {chapters.map((chapter, index) => {
        const { word, icon: Icon, tone } = lookOf(chapter.stage);
        return (
          <li key={chapter.key} className={classes.chapter} id={`chapter-${index}`}>
            <div className={classes.head} data-tone={tone}>
              <span className={classes.sign}>
                <Icon size={15} aria-hidden="true" />
              </span>
              <h3 className={classes.title}>{word}</h3>
              <span className={classes.took}>
                {dayOf(chapter.from)}, {clockTime(chapter.from)} · {span(chapter.seconds)}
              </span>
            </div>
            <ol className={classes.lines}>
              {chapter.lines.map((line) => (
                <EventLine
                  key={line.key}
                  line={line}
                  since={chapter.from}
                  incident={incident}
                  isLatest={line.index === latest && line.event !== null}
                  onCite={onCite}
                />
              ))}
            </ol>
          </li>
        );
      })}
    </ol>
  );
}
