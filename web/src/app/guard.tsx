import { Component, type ReactNode } from 'react';
import { Trouble } from '../components/trouble.tsx';
import { reloadWhereServed } from './reload.ts';

/** What fails within it says so in its place, and everything around it works. */
export class Guard extends Component<{ readonly children: ReactNode }, { readonly error: unknown }> {
  override state = { error: null };

  static getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override render() {
    if (this.state.error === null) return this.props.children;
    return <Trouble error={this.state.error} retry={reloadWhereServed} />;
  }
}
