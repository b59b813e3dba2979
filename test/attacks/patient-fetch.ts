/** How clients ask a server that may be too busy to take a connection. */

const TIMES_MAX = 4;
const PAUSE_MS = 250;

/** Asks again where no answer came at all, as Alertmanager and Slack do; what was answered is never asked again. */
export async function patientFetch(url: string, init: RequestInit): Promise<Response> {
  for (let times = 1; ; times += 1) {
    try {
      return await fetch(url, init);
    } catch (error) {
      if (times >= TIMES_MAX) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * times));
    }
  }
}
