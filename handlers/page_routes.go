package handlers

import "github.com/gofiber/fiber/v2"

// pages are the routes of the dashboard. Everything there is said by two
// methods: GET draws, POST does something and leads on to a page.
func (a *App) pages(r *fiber.App) {
	page, form := a.inProject, a.formInProject

	r.Get("/static/*", staticFile)

	r.Get("/login", a.open(a.loginPage))
	r.Post("/login", a.open(a.loginForm))
	r.Post("/logout", a.page(a.logoutForm))
	r.Get("/setup", a.open(a.setupPage))
	r.Post("/setup", a.open(a.setupForm))

	r.Get("/", page(overviewPage))

	r.Get("/sources", page(sourcesPage))
	r.Post("/sources", form(createSourceForm))
	r.Get("/sources/new", page(newSourcePage))
	r.Get("/sources/:id", page(sourcePage))
	r.Post("/sources/:id", form(updateSourceForm))
	r.Post("/sources/:id/delete", form(deleteSourceForm))

	r.Get("/endpoints", page(endpointsPage))
	r.Post("/endpoints", form(createEndpointForm))
	r.Get("/endpoints/new", page(newEndpointPage))
	r.Get("/endpoints/:id", page(endpointPage))
	r.Post("/endpoints/:id", form(updateEndpointForm))
	r.Post("/endpoints/:id/pause", form(pauseEndpointForm))
	r.Post("/endpoints/:id/resume", form(resumeEndpointForm))
	r.Post("/endpoints/:id/rotate", form(rotateSecretForm))
	r.Post("/endpoints/:id/test-fire", form(testFireForm))
	r.Post("/endpoints/:id/delete", form(deleteEndpointForm))

	r.Get("/events", page(eventsPage))
	r.Post("/events/bulk", form(bulkEventsForm))
	r.Get("/events/:id", page(eventPage))
	r.Get("/events/:id/raw", page(rawEvent))
	r.Post("/events/:id/replay", form(replayEventForm))

	r.Get("/deliveries", page(deliveriesPage))
	r.Post("/deliveries/bulk", form(bulkDeliveriesForm))
	r.Get("/deliveries/:id", page(deliveryPage))
	r.Post("/deliveries/:id/replay", form(replayDeliveryForm))
	r.Post("/deliveries/:id/retry", form(retryDeliveryForm))
	r.Post("/deliveries/:id/discard", form(discardDeliveryForm))
	r.Get("/dead-letters", page(deadLettersPage))
	r.Post("/dead-letters/replay", form(replayDeadForm))
	r.Post("/dead-letters/discard", form(discardDeadForm))

	r.Get("/replays", page(replaysPage))
	r.Post("/replays", form(planReplayForm))
	r.Get("/replays/new", page(newReplayPage))
	r.Get("/replays/:id", page(replayPage))
	r.Post("/replays/:id/start", form(startReplayForm))
	r.Post("/replays/:id/pause", form(pauseReplayForm))
	r.Post("/replays/:id/resume", form(resumeReplayForm))
	r.Post("/replays/:id/cancel", form(cancelReplayForm))
	r.Post("/replays/:id/rate", form(replayRateForm))
	r.Post("/replays/:id/replay-failed", form(replayFailedForm))

	r.Get("/api-keys", page(keysPage))
	r.Post("/api-keys", form(createKeyForm))
	r.Post("/api-keys/:id/revoke", form(revokeKeyForm))

	r.Get("/audit-log", page(auditPage))

	r.Get("/settings", a.anywhere(settingsPage))
	r.Post("/settings/password", a.anywhere(posted(changePasswordForm)))
	r.Post("/settings/project", form(renameProjectForm))
	r.Post("/projects", a.anywhere(posted(createProjectForm)))
	r.Post("/projects/switch", a.anywhere(posted(switchProjectForm)))
}
