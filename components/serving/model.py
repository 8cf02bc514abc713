"""A registered model as KServe sees it: tensors in, tensors out, the version chosen per request."""

from __future__ import annotations

import asyncio
from typing import Any

import kserve
from kserve.errors import InferenceError, InvalidInput, ModelNotReady

from components.core import inference
from components.core.errors import InputError
from components.serving.routing import Loaded, Route


class RegisteredModel(kserve.Model):
    """Answers for one registered model with the version that its route chooses."""

    def __init__(self, route: Route) -> None:
        super().__init__(route.model)
        self._route = route

    async def healthy(self) -> bool:
        """True once a champion is loaded; raises ModelNotReady with the reason before (KServe answers 503)."""
        if self._route.choose(None) is None:
            raise ModelNotReady(self.name, self._route.problem())
        return True

    async def predict(
        self, payload: kserve.InferRequest, headers: Any = None, response_headers: Any = None
    ) -> dict[str, Any]:
        """Predict in a thread, so that health checks are answered meanwhile.

        The answer is a plain dictionary: KServe's InferResponse would turn a missing text into the text "None".
        """
        loaded = self._route.choose(payload.id)
        if loaded is None:
            raise ModelNotReady(self.name, self._route.problem())
        outputs = await asyncio.to_thread(self._outputs, loaded, payload)
        answer = {"model_name": self.name, "model_version": loaded.version, "outputs": outputs}
        return {"id": payload.id, **answer} if payload.id else answer

    def _outputs(self, loaded: Loaded, payload: kserve.InferRequest) -> list[dict[str, Any]]:
        try:
            frame = inference.decode([_tensor(given) for given in payload.inputs])
            predicted = loaded.predictor.predict(frame)
        except InputError as error:
            raise InvalidInput(str(error)) from None
        except Exception as error:
            reason = f"{self.name} version {loaded.version} could not predict: {type(error).__name__}: {error}"
            raise InferenceError(reason) from error
        if payload.request_outputs:
            predicted = predicted[self._known(payload, list(predicted.columns))]
        return inference.encode(predicted)

    def _known(self, payload: kserve.InferRequest, columns: list[str]) -> list[str]:
        names = [output.name for output in payload.request_outputs]
        if unknown := [name for name in names if name not in columns]:
            raise InvalidInput(f"{self.name} gives no output {unknown[0]!r}; it gives {', '.join(columns)}")
        return names


def _tensor(given: Any) -> dict[str, Any]:
    return {
        "name": given.name,
        "datatype": given.datatype,
        "data": given.data,
        "parameters": given.parameters,
    }
