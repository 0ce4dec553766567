"""Users and their tokens."""

from typing import Any, Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from pigwav.api.body import BODY_ERRORS, small_body
from pigwav.api.deps import CallerDep, ServicesDep
from pigwav.api.openapi import problems
from pigwav.api.schemas import TokenOut, UserIn, UserOut
from pigwav.errors import (
    DatabaseUnavailable,
    InvalidField,
    InvalidRequest,
    NameTaken,
    NotAuthenticated,
    RegistrationClosed,
    UnsupportedMediaType,
)
from pigwav.settings import Registration

router = APIRouter(tags=["users"])

_FORM: Final = "application/x-www-form-urlencoded"
_USER_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            kind: {"schema": UserIn.model_json_schema(), "example": {"name": "testuser"}}
            for kind in ("application/json", _FORM)
        },
    }
}


@router.post(
    "/users",
    status_code=201,
    openapi_extra=_USER_BODY,
    responses=problems(
        RegistrationClosed,
        NameTaken,
        InvalidRequest,
        InvalidField,
        UnsupportedMediaType,
        *BODY_ERRORS,
        DatabaseUnavailable,
    ),
)
async def register(request: Request, response: Response, services: ServicesDep) -> UserOut:
    """Create a user. The answer holds the access token, which is shown this once."""
    if services.settings.registration is Registration.CLOSED:
        raise RegistrationClosed
    wanted = await _user_in(request, services)
    response.headers["Cache-Control"] = "no-store"
    return UserOut.of(await services.register_user(wanted.name))


@router.delete("/users/me", status_code=204, responses=problems(NotAuthenticated, DatabaseUnavailable))
async def delete_me(caller: CallerDep, services: ServicesDep) -> None:
    """Delete the caller: the token, the recordings and their links are dead at once."""
    await services.delete_user(caller.id)


@router.post("/users/me/token", responses=problems(NotAuthenticated, DatabaseUnavailable))
async def rotate_token(response: Response, caller: CallerDep, services: ServicesDep) -> TokenOut:
    """Replace the caller's token; the old one is dead at once."""
    response.headers["Cache-Control"] = "no-store"
    return TokenOut(token=await services.rotate_token(caller.id))


async def _user_in(request: Request, services: ServicesDep) -> UserIn:
    """JSON, or a form as `curl -d` sends it."""
    body = await small_body(request.receive, services.settings.limits)
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    try:
        if kind == "application/json":
            return UserIn.model_validate_json(body)
        if kind == _FORM:
            fields = parse_qs(body.decode(errors="replace"), keep_blank_values=True, max_num_fields=100)
            return UserIn.model_validate({name: values[0] for name, values in fields.items()})
    except ValidationError as error:
        raise RequestValidationError([{**e, "loc": ("body", *e["loc"])} for e in error.errors()]) from error
    except ValueError as error:
        raise RequestValidationError([{"loc": ("body",), "msg": str(error), "type": "form"}]) from error
    raise UnsupportedMediaType(f"Send application/json or {_FORM}, not {kind}.")
