package cli

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/tykctl/tykctl/internal/app"
	"github.com/tykctl/tykctl/internal/config"
	"github.com/tykctl/tykctl/internal/registry"
	"github.com/tykctl/tykctl/pkg/ratelimit"
)

// What the shell is offered when an api_key is completed. The time leaves room
// for the program's own start within the 300 ms that a keystroke may take.
const (
	completeWithin = 250 * time.Millisecond
	completeAtMost = 100
)

// completeFlag has the shell offer the values that a flag can have; without any
// it offers nothing, not even files.
func completeFlag(cmd *cobra.Command, flag string, values ...string) {
	// It fails for a flag that does not exist; a test would find that.
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}

// completeAlgorithm has the shell offer the algorithms that the limiter knows.
func completeAlgorithm(cmd *cobra.Command) {
	completeFlag(cmd, "algorithm", string(ratelimit.FixedWindow), string(ratelimit.SlidingWindow),
		string(ratelimit.TokenBucket), string(ratelimit.LeakyBucket))
}

// completeKey is completeKeys for a command that takes one.
func (a *Program) completeKey(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeKeys(cmd, args, typed)
}

// completeKeys has the shell offer the api_keys in Redis that begin as typed. A
// line is being typed, so it says nothing about errors.
func (a *Program) completeKeys(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completeWithin)
	defer cancel()
	flag := func(name string) string { return cmd.Flag(name).Value.String() }
	found := make(chan []string, 2)
	go func() { // a command in flight does not stop when its context ends
		s := &store{redis: flag("redis"), prefix: flag("prefix")}
		_ = a.withKeys(s, func(book *registry.Registry, _ *config.Config) error {
			keys, err := book.Keys(ctx, typed, completeAtMost)
			found <- keys
			return err
		})
		found <- nil
	}()
	select {
	case keys := <-found:
		keys = slices.DeleteFunc(keys, func(key string) bool {
			return slices.Contains(args, key) || typed == "" && key[0] == '-' // it would be taken for a flag
		})
		slices.Sort(keys)
		return keys, cobra.ShellCompDirectiveNoFileComp
	case <-ctx.Done():
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
}

// completeKid has the shell offer the kids of the configuration's keys that can
// sign now.
func (a *Program) completeKid(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var kids []cobra.Completion
	if cfg, err := a.load(nil); err == nil {
		keys, _ := app.TokenKeys(cfg)
		for _, key := range keys {
			if key.ID() != "" && app.CheckSigner(key, a.Now()) == nil {
				kids = append(kids, cobra.CompletionWithDesc(key.ID(), key.Algorithm()))
			}
		}
	}
	return kids, cobra.ShellCompDirectiveNoFileComp
}
