"""What a language model makes of an agent's recommendations, by any server with OpenAI's API."""

import json
import logging

from pydantic import Field, SecretStr

from ..contract import Summary
from ..health import reason
from ..settings import HttpUrl, Seconds, Settings
from .rules import Recommendation

log = logging.getLogger(__name__)
ROLE = (
    "You advise the operator of a language model service. Answer the question in at most five sentences, only by the "
    "recommendations given as JSON and the values in their evidence. Name the most urgent first. Invent nothing."
)


class SummarySettings(Settings):
    groq_api_key: SecretStr | None = Field(None, validation_alias="GROQ_API_KEY")
    groq_base_url: HttpUrl = Field("https://api.groq.com/openai/v1", validation_alias="GROQ_BASE_URL")
    groq_model: str = Field("llama-3.3-70b-versatile", validation_alias="GROQ_MODEL")
    groq_timeout: Seconds = Field(6, validation_alias="GROQ_TIMEOUT")


def summarise(settings: SummarySettings, question: str, found: list[Recommendation]) -> Summary:
    """Return the summary, or why there is none; recommendations are never lost for want of one."""
    if settings.groq_api_key is None:
        return Summary(reason="GROQ_API_KEY is not set")
    if not found:
        return Summary(reason="there is nothing to summarise")
    # Takes half a second to import, which agents without a key need not wait for.
    from openai import OpenAI, OpenAIError

    client = OpenAI(
        api_key=settings.groq_api_key.get_secret_value(),
        base_url=settings.groq_base_url,
        timeout=settings.groq_timeout,
        max_retries=0,
    )
    given = json.dumps({"question": question, "recommendations": [one._asdict() for one in found]})
    try:
        answer = client.chat.completions.create(
            model=settings.groq_model,
            max_tokens=300,
            temperature=0.2,
            messages=[{"role": "system", "content": ROLE}, {"role": "user", "content": given}],
        )
        text = (answer.choices[0].message.content or "").strip()
    except (OpenAIError, IndexError, AttributeError) as error:
        log.warning("no summary: %s", reason(error))
        return Summary(reason=f"the language model did not answer: {reason(error)}")
    if not text:
        return Summary(reason="the language model said nothing")
    return Summary(text=text, model=answer.model or settings.groq_model)
