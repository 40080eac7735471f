// SPDX-License-Identifier: Apache-2.0

// Command fuzz gives the stage plans that no planner would make, with libFuzzer, AddressSanitizer and
// UndefinedBehaviorSanitizer. The stage is built with a test kernel in the place of system calls (kernel.c), so that
// neither privileges nor a container are needed. It needs clang and is started in the top directory of the tree; what
// it finds is left in build/fuzz.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

func main() {
	duration := flag.Duration("time", time.Minute, "how long to search")
	flag.Parse()
	if err := search(*duration); err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
		os.Exit(1)
	}
}

func search(duration time.Duration) error {
	const dir, corpus = "build/fuzz", "build/fuzz/corpus"
	if _, err := exec.LookPath("clang"); err != nil {
		return errors.New("clang is missing (as root on Debian: build/deps fuzz)")
	}
	if _, err := writeSeeds(".", filepath.Join(dir, "seeds")); err != nil {
		return err
	}
	if err := os.MkdirAll(corpus, 0o755); err != nil {
		return fmt.Errorf("make corpus: %w", err)
	}
	fuzzer := filepath.Join(dir, "stage-fuzzer")
	if err := build(".", fuzzer, "clang", "-DLIBFUZZER", "-fsanitize=fuzzer"); err != nil {
		return err
	}
	command := exec.Command(fuzzer, "-artifact_prefix="+dir+"/", "-max_len=16384", "-timeout=10", "-print_final_stats=1",
		"-max_total_time="+strconv.Itoa(int(duration.Seconds())), corpus, filepath.Join(dir, "seeds"))
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	if err := command.Run(); err != nil {
		return fmt.Errorf("run %q: %w", fuzzer, err)
	}
	return nil
}

// build compiles stage and harness with the sanitizers.
func build(top, output, compiler string, flags ...string) error {
	arguments := append([]string{
		"-DSTAGE_HOSTED", "-std=gnu11", "-g", "-O1", "-Wall", "-Wextra", "-Werror",
		"-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-o", output,
	}, flags...)
	for _, pattern := range []string{"nsenter/*.c", "tests/fuzz/*.c"} {
		sources, err := filepath.Glob(filepath.Join(top, pattern))
		if err != nil {
			return fmt.Errorf("find sources: %w", err)
		}
		arguments = append(arguments, sources...)
	}
	if text, err := exec.Command(compiler, arguments...).CombinedOutput(); err != nil {
		return fmt.Errorf("build %q: %w\n%s", output, err, text)
	}
	return nil
}
