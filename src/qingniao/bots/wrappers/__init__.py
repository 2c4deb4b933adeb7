"""Policy around a bot: each wrapper takes a `BotService`, is one, and does one thing."""
