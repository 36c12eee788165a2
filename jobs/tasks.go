package jobs

import "context"

// Task says that there may be work.
type Task struct {
	Queue   string
	Kind    string
	Payload []byte
	// ID, if it is set, keeps a second task of this id away for as long as the first
	// is there.
	ID string
}

// Tasks carries tasks to whoever works: asynq on Redis (NewTasks), or what
// simulates it. Whatever is lost, doubled or late on the way is found in SQL.
type Tasks interface {
	// Enqueue gives a task to whoever serves its queue.
	Enqueue(ctx context.Context, t Task) error
	// Serve hands the tasks of some queues, by their weights, to a handler, so many at
	// the same time, until Stop.
	Serve(queues map[string]int, concurrency int, handle func(Task)) error
	// Check is an error if tasks cannot be carried now.
	Check(ctx context.Context) error
	// Sweep removes the queues of processes that are gone, and what was put aside.
	Sweep(ctx context.Context, gone func(queue string) bool) error
	// Drop removes a queue with what lies in it.
	Drop(ctx context.Context, queue string) error
	// Stop hands out no more; Close waits for handlers, too.
	Stop()
	Close()
}
