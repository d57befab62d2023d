# `make run` and `make test` are all a newcomer needs; `make help` lists the rest.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
MAIN := .venv/bin/python
RASA := rasa_project/.venv/bin/python

.DEFAULT_GOAL := help
.PHONY: help run test shell train check doctor bench safety-card nlu-lint nlu-comparison setup lock format encoder gates intents webchat e2e

help: ## Show this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

run: ## Set up if needed, start everything, print the address
	@$(PYTHON) -m ops run

doctor: ## Check this machine and say what to do
	@$(PYTHON) -m ops doctor

setup: ## Make both environments with everything tests need
	@$(PYTHON) -m ops setup --for test

train: ## Train the Rasa model if its inputs changed
	@$(PYTHON) -m ops train

shell: ## Talk with the assistant in the terminal (start `make run` beside it)
	@$(PYTHON) -m ops shell

check: setup ## Lint and types, warnings are errors
	@scripts/check

test: setup ## Run every test
	@scripts/test

bench: setup ## Measure speed and memory, as ratios side by side
	@$(MAIN) -m bench

safety-card: setup ## Score the gates on the frozen test and write reports/safety-card.md
	@cd rasa_project && .venv/bin/python -m components.safety_card

nlu-lint: setup ## Find intent examples that repeat others or sit nearer to another intent
	@cd rasa_project && .venv/bin/python -m components.nlu_lint

nlu-comparison: ## Compare intent classifiers, hours; writes docs/nlu-comparison.md (see `--help`)
	@$(PYTHON) -m ops setup --for compare
	@$(MAIN) -m training_pipeline compare-nlu $(ARGS)

encoder: setup ## Export the sentence encoder anew
	@$(MAIN) -m training_pipeline run --stage sentence_encoder

gates: setup ## Train the risk gate anew
	@$(MAIN) -m training_pipeline run --stage house_text
	@$(MAIN) -m training_pipeline run --stage safety_gates

intents: setup ## Tune the intent classifier anew
	@$(MAIN) -m training_pipeline run --stage intents

webchat: ## Fetch the rasa-webchat widget for its demo page
	@cd rasa_project/web && npm run --silent vendor

format: ## Format the code
	@.venv/bin/ruff format . && .venv/bin/ruff check --fix .

lock: ## Write the lock files anew
	@scripts/lock
