// Package term draws for people: sheets, tables, lists, progress and what a watch
// shows, on a terminal or into a pipe. Everything that it writes is cut, folded and
// escaped so that foreign text cannot control a terminal. It knows nothing of keys,
// records or the configuration.
package term
