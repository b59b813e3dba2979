import { Button, Modal } from '@mantine/core';
import { IconCircleCheck, IconDownload, IconPencilPlus } from '@tabler/icons-react';
import { useMutation, useQuery } from '@tanstack/react-query';
import { Link } from 'wouter';
import { ask } from '../api/client.ts';
import { uncoveredQuery } from '../api/queries.ts';
import type { RunbookDraft } from '../api/shapes.ts';
import { CodeBlock } from '../components/code-block.tsx';
import { Ago } from '../components/moment.tsx';
import { Card, Panel } from '../components/panel.tsx';
import { RoleButton } from '../components/role.tsx';
import { Table } from '../components/table.tsx';
import { Empty, Loaded, Trouble } from '../components/trouble.tsx';

/** The alerts of the last 30 days that no runbook fits, each with the way to draft one from what was seen. */
export function Uncovered() {
  const uncovered = useQuery(uncoveredQuery);
  const draft = useMutation({
    mutationFn: (incident: string) => ask<RunbookDraft>('/runbooks/draft', { body: { incident } }),
  });
  return (
    <Panel title="Alerts of 30 days without a runbook" count={uncovered.data?.alerts.length}>
      <Loaded query={uncovered}>
        {({ alerts }) =>
          alerts.length === 0 ? (
            <Empty icon={<IconCircleCheck size={28} stroke={1.5} />} title="Every alert has its runbook">
              Each alert of the last 30 days fits at least one.
            </Empty>
          ) : (
            <Card>
              <Table
                label="Alerts without a runbook"
                columns={['Alert', 'Service', 'Times', 'Last', 'Incidents', '']}
                numbers={[2]}
                rows={alerts.map(({ alertname, service, times, last, incidents }) => ({
                  key: `${alertname} ${service}`,
                  cells: [
                    alertname,
                    service || '–',
                    times,
                    <Ago key="last" at={last} />,
                    <span key="incidents">
                      {incidents.slice(0, 3).map((id, index) => (
                        <span key={id}>
                          {index > 0 ? ', ' : ''}
                          <Link href={`/incidents/${id}`}>{id}</Link>
                        </span>
                      ))}
                    </span>,
                    <RoleButton
                      key="draft"
                      needs="approver"
                      size="compact-sm"
                      variant="default"
                      loading={draft.isPending && draft.variables === incidents[0]}
                      leftSection={<IconPencilPlus size={14} aria-hidden="true" />}
                      onClick={() => (incidents[0] ? draft.mutate(incidents[0]) : undefined)}
                    >
                      Draft one
                    </RoleButton>,
                  ],
                }))}
              />
            </Card>
          )
        }
      </Loaded>
      {draft.error ? <Trouble error={draft.error} /> : null}
      {draft.data ? <DraftDialog draft={draft.data} onClose={draft.reset} /> : null}
    </Panel>
  );
}

function DraftDialog({
  draft: { fileName, text },
  onClose,
}: {
  readonly draft: RunbookDraft;
  readonly onClose: () => void;
}) {
  const download = () => {
    const url = URL.createObjectURL(new Blob([text], { type: 'text/markdown' }));
    Object.assign(document.createElement('a'), { href: url, download: fileName }).click();
    URL.revokeObjectURL(url);
  };
  return (
    <Modal
      opened
      onClose={onClose}
      title="A draft from what was seen"
      size="xl"
      lockScroll={false}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      <p>Nothing was written. Complete it, put it among the runbooks, and have it reviewed like code.</p>
      <CodeBlock label={fileName} text={text} />
      <Button mt="md" leftSection={<IconDownload size={16} aria-hidden="true" />} onClick={download} data-autofocus>
        Download {fileName}
      </Button>
    </Modal>
  );
}
